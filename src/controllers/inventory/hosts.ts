import type { Host } from '../../api/host.ts';
import { type ClusterModel, membershipOf } from '../../core/cluster/membership.ts';
import { readCluster } from '../../core/cluster/read-cluster.ts';
import type { Informers } from '../informers.ts';

/** Clusters as decisions see them. */
export function clusterModels(informers: Pick<Informers, 'clusters'>): ClusterModel[] {
  return informers.clusters.list().map(readCluster);
}

/** Hosts that belong to a Cluster, by name. */
export function hostsOf(cluster: string, informers: Pick<Informers, 'clusters' | 'hosts'>): Host[] {
  const clusters = clusterModels(informers);
  return informers.hosts.list().filter((host) => membershipOf(host.metadata.labels, clusters).cluster === cluster);
}
