import type { Cluster } from '../../api/cluster.ts';
import { FailoverReserve, failoverHostsOf, type Reserve, reserveOf } from '../../core/ha/admission.ts';
import { type PolicyChoice, policyOf } from '../../core/ha/policy.ts';
import { shouldRun } from '../../core/ha/proof.ts';
import { byUrgency, type ProtectedVirtualMachine } from '../../core/ha/urgency.ts';
import { type Fleet, type Survival, WhatIf } from '../../core/ha/what-if.ts';
import type { HostModel } from '../../core/model/host.ts';
import { isSilent } from '../../core/model/read-host.ts';
import { wishOf } from '../../core/virtual-machine/next-step.ts';
import { keyOf, type ObjectKey } from '../../kube/index.ts';
import { BY_PORT_GROUP, BY_VOLUME, type Informers } from '../informers.ts';
import { gatherNeeds } from '../virtual-machine/gather.ts';
import type { Inventories } from './inventories.ts';
import type { Reservations } from './reservations.ts';
import type { RuleGroups } from './rule-groups.ts';

/** So many failures of hosts a status tells of at most: each costs a look at every host and all of its VMs. */
const MOST_LOOKED_FOR = 8;

type VMs = readonly ProtectedVirtualMachine[];

/** A reserve with all that it was made from: the same of all of it, the same reserve, which has worked out much by then. */
interface Made {
  readonly reserve: string;
  readonly rules: number;
  readonly hosts: readonly HostModel[];
  readonly vms: readonly VMs[];
  readonly dead: string;
  readonly admission: FailoverReserve;
}

/** What each Cluster keeps for failovers, from the caches. */
export class FailoverReserves {
  readonly #informers: Informers;
  readonly #reservations: Reservations;
  readonly #ruleGroups: RuleGroups;
  readonly #inventories: Pick<Inventories, 'of' | 'clusterOf'>;
  /** VMs of each host, as long as nothing about them has changed. */
  readonly #vms = new Map<string, { readonly counted: object; readonly vms: VMs }>();
  readonly #made = new Map<string, Made>();

  constructor(
    informers: Informers,
    reservations: Reservations,
    ruleGroups: RuleGroups,
    inventories: Pick<Inventories, 'of' | 'clusterOf'>,
  ) {
    this.#informers = informers;
    this.#reservations = reservations;
    this.#ruleGroups = ruleGroups;
    this.#inventories = inventories;
    const { clusters, datastores, hosts, instances, portGroups, virtualMachines, volumes } = informers;
    virtualMachines.onChange((change) => {
      const isOther =
        change.type !== 'updated' || change.object.metadata.generation !== change.previous.metadata.generation;
      if (isOther) this.#forget(change.key);
    });
    instances.onChange((change) => {
      const before = change.type === 'updated' ? change.previous.status?.phase : undefined;
      if (change.type !== 'updated' || (before === 'Off') !== (change.object.status?.phase === 'Off')) {
        this.#forget(change.key);
      }
    });
    volumes.onChange(({ key }) => {
      for (const instance of instances.byIndex(BY_VOLUME, key)) this.#forget(keyOf(instance));
    });
    portGroups.onChange(({ key }) => {
      for (const vm of virtualMachines.byIndex(BY_PORT_GROUP, key)) this.#forget(keyOf(vm));
    });
    datastores.onChange(() => this.#vms.clear());
    clusters.onChange((change) => {
      const isOther =
        change.type !== 'updated' ||
        change.object.metadata.generation !== change.previous.metadata.generation ||
        change.object.status?.baseline?.level !== change.previous.status?.baseline?.level;
      if (isOther) this.#vms.clear();
      if (change.type === 'deleted') this.#made.delete(change.key);
    });
    hosts.onChange(({ type, key }) => {
      if (type === 'deleted') this.#vms.delete(key);
    });
  }

  /** What a Cluster keeps. @param cluster absent: nothing. */
  reserveOf(cluster: string | undefined): Reserve {
    const object = cluster === undefined ? undefined : this.#informers.clusters.get(cluster);
    return reserveOf(object, this.choiceOf(object));
  }

  /** What high availability does in a Cluster. */
  choiceOf(cluster: Cluster | undefined): PolicyChoice {
    return policyOf(cluster, (name) => this.#informers.haPolicies.get(name));
  }

  /** Keeps it. Undefined: nothing is kept. */
  of(cluster: string | undefined): FailoverReserve | undefined {
    const reserve = this.reserveOf(cluster);
    if (cluster === undefined || reserve.type === 'Disabled') return undefined;
    const fleet = this.fleetOf(cluster, reserve);
    const vms = fleet.inventory.hosts.map(({ name }) => fleet.protectedOn(name));
    const known = this.#made.get(cluster);
    const words = JSON.stringify({ ...reserve, hosts: [...failoverHostsOf(reserve)] });
    const dead = [...fleet.dead].join(' ');
    const isSame =
      known?.reserve === words &&
      known.rules === this.#ruleGroups.version &&
      known.dead === dead &&
      sameItems(known.hosts, fleet.inventory.hosts) &&
      sameItems(known.vms, vms);
    if (isSame) return known.admission;
    const isLike = known?.reserve === words && known.rules === this.#ruleGroups.version;
    const admission = new FailoverReserve(reserve, fleet, isLike ? known.admission : undefined);
    const { hosts } = fleet.inventory;
    this.#made.set(cluster, { reserve: words, rules: this.#ruleGroups.version, hosts, vms, dead, admission });
    return admission;
  }

  /** How many hosts of a Cluster may fail now, and what the next failure would lead to. */
  toleranceOf(cluster: string): Survival {
    const reserve = this.reserveOf(cluster);
    const fleet = this.fleetOf(cluster, reserve);
    const asked = reserve.type === 'HostFailures' ? reserve.count : 0;
    return new WhatIf(fleet, { hosts: Math.max(MOST_LOOKED_FOR, asked), by: 'memoryBytes' }).survival;
  }

  /** A Cluster, as far as the loss of its hosts is concerned. */
  fleetOf(cluster: string, reserve: Reserve): Fleet {
    const inventory = this.#inventories.of(cluster);
    const { hosts } = this.#informers;
    const dead = inventory.hosts.flatMap(({ name }) => {
      const host = hosts.get(name);
      return host !== undefined && isSilent(host) ? [name] : [];
    });
    return {
      inventory,
      protectedOn: (host) => this.#protectedOn(host),
      dead: new Set(dead),
      failoverHosts: failoverHostsOf(reserve),
    };
  }

  #protectedOn(host: string): VMs {
    // The very same object until something changes on the host.
    const counted = this.#reservations.onHost(host);
    const known = this.#vms.get(host);
    if (known?.counted === counted) return known.vms;
    const cluster = this.#inventories.clusterOf(host);
    const vms = [...this.#reservations.keysOn(host)]
      .flatMap((key) => (cluster === undefined ? [] : this.#protectedVM(key, host, cluster)))
      .toSorted(byUrgency);
    this.#vms.set(host, { counted, vms });
    return vms;
  }

  /** One that is being moved is where it still runs. */
  #protectedVM(key: ObjectKey, host: string, cluster: string): ProtectedVirtualMachine[] {
    const vm = this.#informers.virtualMachines.get(key);
    const instance = this.#informers.instances.get(key);
    if (vm === undefined || this.#reservations.placementOf(key)?.host !== host) return [];
    const isMeant = instance === undefined ? vm.spec.ha.enabled : shouldRun(vm, instance);
    if (!isMeant) return [];
    const wish = wishOf(vm, gatherNeeds(key, vm, { ok: true, cluster }, this.#informers));
    if (!wish.ok) return [];
    const request = { ...wish.request, onlyHost: undefined };
    return [{ request, priority: vm.spec.ha.restartPriority }];
  }

  #forget(key: ObjectKey): void {
    const host = this.#reservations.placementOf(key)?.host;
    if (host !== undefined) this.#vms.delete(host);
  }
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
