import { type InformerOptions, type KindRef, type KubeObject, SharedInformer } from '../../kube/index.ts';

/** Kubernetes' Node, as far as it is looked at. */
export interface Node extends KubeObject {
  readonly spec?: { readonly unschedulable?: boolean };
}

const NODE: KindRef<Node> = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false };

/** The Nodes of the cluster, of which all but whether they are cordoned is forgotten: kubelets rewrite them all the time. */
export function nodeInformer(
  options: Pick<InformerOptions<Node>, 'client' | 'clock' | 'onError'>,
): SharedInformer<Node> {
  return new SharedInformer<Node>({
    ...options,
    kind: NODE,
    transform: ({ apiVersion, kind, metadata, spec }) => ({
      apiVersion,
      kind,
      metadata: { name: metadata.name, uid: metadata.uid, resourceVersion: metadata.resourceVersion },
      ...(spec?.unschedulable && { spec: { unschedulable: true } }),
    }),
  });
}
