import { applyIfChanged, type KindRef, type KubeApi, type KubeObject } from '../kube/index.ts';

/**
 * Writes the status that a controller owns, if it differs from what the cache shows.
 * @returns whether a call was made
 */
export async function writeStatus<T extends KubeObject>(
  client: KubeApi,
  kind: KindRef<T>,
  object: T,
  status: object,
  options: { readonly fieldManager: string; readonly force?: boolean; readonly signal: AbortSignal },
): Promise<boolean> {
  const { name, namespace, uid } = object.metadata;
  const wanted = { apiVersion: object.apiVersion, kind: object.kind, metadata: { name, namespace, uid }, status };
  const { written } = await applyIfChanged(client, kind, wanted, object, { ...options, subresource: 'status' });
  return written;
}
