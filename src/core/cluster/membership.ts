import { type LabelSelector, matchesSelector } from '../../api/common/selector.ts';
import { byAge } from '../model/order.ts';

/** A Cluster, as far as membership asks. */
export interface ClusterModel {
  readonly name: string;
  readonly createdAt: string;
  readonly isDefault: boolean;
  readonly hostSelector: LabelSelector | undefined;
}

/** The Cluster that a host belongs to, and the others that select it too. */
export interface Membership {
  readonly cluster: string | undefined;
  /** Younger Clusters that select the host in vain, by age. */
  readonly alsoSelectedBy: readonly string[];
}

/** A host belongs to one Cluster: of those that select it the oldest, then by name. */
export function membershipOf(labels: Readonly<Record<string, string>>, clusters: readonly ClusterModel[]): Membership {
  const [first, ...others] = clusters
    .filter((cluster) => matchesSelector(cluster.hostSelector, labels))
    .toSorted(byAge);
  return { cluster: first?.name, alsoSelectedBy: others.map(({ name }) => name) };
}

export type ClusterChoice =
  | { readonly ok: true; readonly cluster: string }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** The Cluster that a VM belongs to: the one it names, else the default one. */
export function clusterOf(clusterName: string | undefined, clusters: readonly ClusterModel[]): ClusterChoice {
  if (clusterName !== undefined) {
    return clusters.some(({ name }) => name === clusterName)
      ? { ok: true, cluster: clusterName }
      : {
          ok: false,
          reason: 'ClusterNotFound',
          message: `there is no Cluster "${clusterName}" (spec.clusterName); create it or name another`,
        };
  }
  const [first, ...others] = clusters.filter(({ isDefault }) => isDefault).toSorted(byAge);
  if (first === undefined) {
    return {
      ok: false,
      reason: 'NoDefaultCluster',
      message:
        'spec.clusterName is not set and no Cluster is annotated drover.dev/is-default-cluster: "true"; do either',
    };
  }
  if (others.length > 0) {
    const names = [first, ...others].map(({ name }) => name).join(', ');
    return {
      ok: false,
      reason: 'DefaultClusterAmbiguous',
      message: `spec.clusterName is not set and several Clusters are annotated as the default one: ${names}; leave one`,
    };
  }
  return { ok: true, cluster: first.name };
}
