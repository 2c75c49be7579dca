import type { KindRef, KubeApi, KubeObject } from '../kube/index.ts';

/** Sets the finalizers of an object. Refused when anybody has changed it since the cache saw it: they are one list, and others write it too. */
export async function writeFinalizers<T extends KubeObject>(
  client: KubeApi,
  kind: KindRef<T>,
  object: T,
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { resourceVersion } = object.metadata;
  const body = { metadata: { resourceVersion, finalizers } };
  await client.patch(kind, object.metadata, { type: 'merge', body }, { signal });
}
