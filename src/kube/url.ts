import { type KindRef, keyOfRef, type ObjectRef } from './object.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Path of a kind's collection; in all namespaces when none is given. */
export function collectionPath(kind: KindRef, namespace?: string): string {
  const root = kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`;
  if (!kind.namespaced && namespace) {
    throw new Error(`${kind.kind} is cluster-scoped, so it is in no namespace: leave out "${namespace}".`);
  }
  return `${root}${namespace ? `/namespaces/${encodeURIComponent(namespace)}` : ''}/${kind.plural}`;
}

/** @throws Error when a namespaced kind comes without namespace, or an object without name. */
export function objectPath(kind: KindRef, ref: ObjectRef, subresource?: string): string {
  // An empty part would turn the path into that of the collection, and a delete into a delete of everything.
  if (!ref.name) throw new Error(`A ${kind.kind} without a name cannot be addressed: set metadata.name.`);
  if (kind.namespaced && !ref.namespace) {
    throw new Error(`${kind.kind} "${keyOfRef(ref)}" is namespaced: set its metadata.namespace.`);
  }
  const path = `${collectionPath(kind, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource ? `${path}/${subresource}` : path;
}

export function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  return search.size > 0 ? `${path}?${search.toString()}` : path;
}
