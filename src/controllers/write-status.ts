import { applyIfChanged, type KindRef, type KubeApi, type KubeObject } from '../kube/index.ts';

export interface WriteStatusOptions {
  readonly fieldManager: string;
  readonly force?: boolean;
  readonly signal: AbortSignal;
  /** Refused with a conflict when anybody has changed the object since the cache saw it. Absent: false. */
  readonly ifUnchanged?: boolean;
}

/**
 * Writes the status that a controller owns, if it differs from what the cache shows.
 * @returns whether a call was made
 */
export async function writeStatus<T extends KubeObject>(
  client: KubeApi,
  kind: KindRef<T>,
  object: T,
  status: object,
  { ifUnchanged = false, ...options }: WriteStatusOptions,
): Promise<boolean> {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const wanted = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { name, namespace, uid, ...(ifUnchanged && { resourceVersion }) },
    status,
  };
  const { written } = await applyIfChanged(client, kind, wanted, object, { ...options, subresource: 'status' });
  return written;
}
