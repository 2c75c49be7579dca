import type { Host } from '../../api/host.ts';
import { type ClusterModel, membershipOf } from '../../core/cluster/membership.ts';
import type { HostModel, Resources } from '../../core/model/host.ts';
import type { Inventory } from '../../core/model/inventory.ts';
import { readHost } from '../../core/model/read-host.ts';
import type { RuleGroupModel } from '../../core/model/rule-group.ts';
import type { Informers } from '../informers.ts';
import { FailoverReserves } from './failover-reserves.ts';
import { clusterModels } from './hosts.ts';
import type { Reservations } from './reservations.ts';
import type { RuleGroups } from './rule-groups.ts';

/** What a host's model was made from: the same of all of it, the same model. */
interface Made {
  readonly host: Host;
  readonly reserved: Resources;
  readonly datastores: number;
  readonly model: HostModel;
}

interface Member {
  readonly host: Host;
  readonly clusters: number;
  readonly cluster: string | undefined;
}

/**
 * The Clusters as decisions see them, from the caches. An inventory is good for the decision that is made at once with it;
 * what has not changed since the last one is not made again, so that its cost is one look at each host.
 */
export class Inventories {
  readonly #informers: Informers;
  readonly #reservations: Reservations;
  readonly #ruleGroups: RuleGroups;
  /** What each Cluster keeps for failovers. */
  readonly reserves: FailoverReserves;
  readonly #made = new Map<string, Made>();
  readonly #members = new Map<string, Member>();
  #clusterModels: readonly ClusterModel[] | undefined;
  /** Grow with every change of a kind. */
  readonly #versions = { clusters: 0, datastores: 0 };

  constructor(informers: Informers, reservations: Reservations, ruleGroups: RuleGroups) {
    this.#informers = informers;
    this.#reservations = reservations;
    this.#ruleGroups = ruleGroups;
    this.reserves = new FailoverReserves(informers, reservations, ruleGroups, this);
    informers.clusters.onChange(() => {
      this.#versions.clusters += 1;
      this.#clusterModels = undefined;
    });
    informers.datastores.onChange(() => {
      this.#versions.datastores += 1;
    });
    informers.hosts.onChange(({ type, key }) => {
      if (type !== 'deleted') return;
      this.#made.delete(key);
      this.#members.delete(key);
    });
  }

  get clusters(): readonly ClusterModel[] {
    this.#clusterModels ??= clusterModels(this.#informers);
    return this.#clusterModels;
  }

  /** @param cluster absent: no hosts. */
  of(cluster: string | undefined): Inventory {
    const hosts: HostModel[] = [];
    if (cluster !== undefined) {
      for (const host of this.#informers.hosts.list()) {
        if (this.#clusterOf(host) === cluster) hosts.push(this.#modelOf(host));
      }
    }
    return { hosts, hostsOf: (key) => this.hostsOf(key), groupsOf: (key) => this.#ruleGroups.groupsOf(key) };
  }

  /** The groups in effect that a VM is a member of, by name. */
  groupsOf(key: string): readonly RuleGroupModel[] {
    return this.#ruleGroups.groupsOf(key);
  }

  /** The Cluster that a host (by name) belongs to. */
  clusterOf(name: string): string | undefined {
    const host = this.#informers.hosts.get(name);
    return host && this.#clusterOf(host);
  }

  #clusterOf(host: Host): string | undefined {
    const { name, labels } = host.metadata;
    const known = this.#members.get(name);
    const { clusters } = this.#versions;
    if (known?.host === host && known.clusters === clusters) return known.cluster;
    const { cluster } = membershipOf(labels, this.clusters);
    this.#members.set(name, { host, clusters, cluster });
    return cluster;
  }

  #modelOf(host: Host): HostModel {
    const { name } = host.metadata;
    const reserved = this.#reservations.onHost(name);
    const { datastores } = this.#versions;
    const known = this.#made.get(name);
    if (known?.host === host && known.reserved === reserved && known.datastores === datastores) return known.model;
    // What else it says is the very same then, by which others see that nothing else has changed.
    const isSame = known?.host === host && known.datastores === datastores;
    const model = isSame
      ? { ...known.model, reserved }
      : readHost(host, reserved, (key) => this.#informers.datastores.get(key));
    this.#made.set(name, { host, reserved, datastores, model });
    return model;
  }

  /** Hosts where a VM is or may be. A VM without instance may still run on the host that its status names. */
  hostsOf(key: string): readonly string[] {
    const placed = this.#reservations.placementOf(key);
    const host = placed?.host ?? this.#informers.virtualMachines.get(key)?.status?.host;
    if (host === undefined) return [];
    return placed?.migration === undefined ? [host] : [host, placed.migration.targetHost];
  }
}
