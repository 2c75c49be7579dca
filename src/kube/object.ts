/** A reference from a dependent object to its owner, as the garbage collector reads it. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean | undefined;
  blockOwnerDeletion?: boolean | undefined;
}

/** Who owns which fields; written by the API server only. */
export interface ManagedFieldsEntry {
  manager?: string | undefined;
  operation?: string | undefined;
  apiVersion?: string | undefined;
  subresource?: string | undefined;
  time?: string | undefined;
  fieldsType?: string | undefined;
  fieldsV1?: Record<string, unknown> | undefined;
}

/** metav1.ObjectMeta, as far as Drover reads or writes it. Times are RFC 3339 strings. */
export interface ObjectMeta {
  name: string;
  /** Absent on cluster-scoped kinds. */
  namespace?: string | undefined;
  uid?: string | undefined;
  /** Opaque: compare for equality only, never as a number. */
  resourceVersion?: string | undefined;
  generation?: number | undefined;
  creationTimestamp?: string | undefined;
  deletionTimestamp?: string | undefined;
  deletionGracePeriodSeconds?: number | undefined;
  labels?: Record<string, string> | undefined;
  annotations?: Record<string, string> | undefined;
  finalizers?: string[] | undefined;
  ownerReferences?: OwnerReference[] | undefined;
  managedFields?: ManagedFieldsEntry[] | undefined;
}

/** The shape every Kubernetes object has. Kinds narrow `spec` and `status` in `src/api`. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: unknown;
  status?: unknown;
}

/**
 * Where a kind lives in the API. `T` is the type its objects have; it exists for the compiler only, so a plain
 * `{ group, version, plural, kind, namespaced }` from `src/api` can be annotated as `KindRef<VirtualMachine>`.
 */
export interface KindRef<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** Lower-case plural, as in URLs. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never present at run time. */
  readonly objectType?: T;
}

/** Names one object of a kind that is known from context. */
export interface ObjectRef {
  name: string;
  /** Required for namespaced kinds, absent for cluster-scoped ones. */
  namespace?: string | undefined;
}

/** `namespace/name`, or `name` for cluster-scoped objects: what queues and caches are keyed by. */
export type ObjectKey = string;

export function keyOf(object: { metadata: ObjectRef }): ObjectKey {
  return keyOfRef(object.metadata);
}

export function keyOfRef(ref: ObjectRef): ObjectKey {
  return ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name;
}

/** The inverse of {@link keyOf}. Neither part may contain a slash, so the first one separates. */
export function refOfKey(key: ObjectKey): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function apiVersionOf(kind: KindRef): string {
  return kind.group ? `${kind.group}/${kind.version}` : kind.version;
}

/** An owner reference for which the garbage collector removes the dependent with its owner. */
export function controllerReference(owner: KubeObject): OwnerReference {
  const { name, uid } = owner.metadata;
  if (!uid)
    throw new Error(`${owner.kind} ${keyOf(owner)} has no uid, so it cannot own anything: read it from the API first`);
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true };
}
