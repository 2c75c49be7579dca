import type { Cluster } from '../../api/cluster.ts';
import { DEFAULT_CLUSTER_ANNOTATION } from '../../api/common/names.ts';
import { parseBytes, parseQuantity } from '../../api/common/quantity.ts';
import type { Host } from '../../api/host.ts';
import { type ClusterModel, membershipOf } from '../../core/cluster/membership.ts';
import { type HostModel, NO_RESOURCES, type Resources } from '../../core/model/host.ts';
import { no, type Verdict, YES } from '../../core/model/verdict.ts';
import { findCondition } from '../../runtime/index.ts';
import type { Informers } from '../informers.ts';

const NOTHING: ReadonlySet<string> = new Set();

/** Clusters as decisions see them. */
export function clusterModels(informers: Pick<Informers, 'clusters'>): ClusterModel[] {
  return informers.clusters.list().map(clusterModel);
}

function clusterModel({ metadata, spec }: Cluster): ClusterModel {
  return {
    name: metadata.name,
    createdAt: metadata.creationTimestamp,
    isDefault: metadata.annotations[DEFAULT_CLUSTER_ANNOTATION] === 'true',
    hostSelector: spec.hostSelector,
  };
}

/** Hosts that belong to a Cluster, by name. */
export function hostsOf(cluster: string, informers: Pick<Informers, 'clusters' | 'hosts'>): Host[] {
  const clusters = clusterModels(informers);
  return informers.hosts.list().filter((host) => membershipOf(host.metadata.labels, clusters).cluster === cluster);
}

/** A host as decisions see it, with what is reserved on it. */
export function hostModel(host: Host, reserved: Resources, informers: Pick<Informers, 'datastores'>): HostModel {
  return {
    name: host.metadata.name,
    labels: host.metadata.labels,
    ready: readiness(host),
    inMaintenance: false,
    threads: host.status?.capacity?.cpuCores ?? 0,
    numaCells: [],
    allocatable: allocatable(host),
    reserved,
    headroom: NO_RESOURCES,
    cpuModels: NOTHING,
    hostDevices: NOTHING,
    datastores: new Set(visibleDatastores(host, informers)),
    switches: new Set(host.status?.switches.flatMap(({ name, available }) => (available ? [name] : []))),
  };
}

/** Whether the host can run VMs now, as its condition `Ready` says. */
export function readiness(host: Host): Verdict {
  const ready = findCondition(host.status?.conditions, 'Ready');
  if (ready?.status === 'True') return YES;
  return no(
    'HostNotReady',
    ready === undefined ? 'its agent has not reported yet' : `${ready.reason}: ${ready.message}`,
  );
}

/** What VMs can have: the capacity without `spec.reserved`. */
export function allocatable({ spec, status }: Host): Resources {
  const { cpuCores = 0, memoryBytes = 0 } = status?.capacity ?? {};
  return {
    cpuCores: Math.max(0, cpuCores - parseQuantity(spec.reserved.cpu)),
    memoryBytes: Math.max(0, memoryBytes - parseBytes(spec.reserved.memory)),
  };
}

/** Datastores that the host can use: of a shared one, its directory must be the very one that the others see. */
export function visibleDatastores(host: Host, { datastores }: Pick<Informers, 'datastores'>): string[] {
  return (host.status?.datastores ?? []).flatMap(({ name, available, id }) => {
    const datastore = datastores.get(name);
    if (!available || datastore === undefined) return [];
    return datastore.spec.shared && datastore.status?.id !== id ? [] : [name];
  });
}
