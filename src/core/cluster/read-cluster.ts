import type { Cluster } from '../../api/cluster.ts';
import { DEFAULT_CLUSTER_ANNOTATION } from '../../api/common/names.ts';
import type { ClusterModel } from './membership.ts';

/** A Cluster as decisions see it. */
export function readCluster({ metadata, spec }: Cluster): ClusterModel {
  return {
    name: metadata.name,
    createdAt: metadata.creationTimestamp,
    isDefault: metadata.annotations[DEFAULT_CLUSTER_ANNOTATION] === 'true',
    hostSelector: spec.hostSelector,
  };
}
