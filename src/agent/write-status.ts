import { applyIfChanged, type KindRef, type KubeApi, type KubeObject } from '../kube/index.ts';

/** Field manager of every agent: what one wrote of an object, the next host's agent takes over. */
export const FIELD_MANAGER = 'drover-agent';

/**
 * Writes the agent's part of a status, whole, unless the cached object shows that it stands there already. Fields that
 * another manager holds are taken: the agent alone knows what is on its host.
 * @returns whether a call was made.
 */
export async function writeStatus<T extends KubeObject>(
  client: KubeApi,
  kind: KindRef<T>,
  cached: T,
  status: object,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, namespace, uid } = cached.metadata;
  const wanted = { apiVersion: cached.apiVersion, kind: cached.kind, metadata: { name, namespace, uid }, status };
  const options = { fieldManager: FIELD_MANAGER, force: true, signal, subresource: 'status' } as const;
  const { written } = await applyIfChanged(client, kind, wanted, cached, options);
  return written;
}
