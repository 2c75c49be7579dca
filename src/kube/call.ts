export interface CallOptions {
  /** Ends the call with a `KubeError` of reason `Aborted`. */
  signal?: AbortSignal;
  /** Total time for the answer, sent to the server too. Absent: the client's `timeoutMs`. */
  timeoutMs?: number;
}

export interface WriteOptions extends CallOptions {
  /** Let the server validate and admit the write without storing it. Absent: false. */
  dryRun?: boolean;
}

export interface Selectors {
  /** Absent: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  /** Only `metadata.name`, `metadata.namespace` and the CRD's selectableFields. */
  fieldSelector?: string;
}

export interface ListOptions extends Selectors, CallOptions {
  /** Objects per page. Absent: everything in one answer. */
  limit?: number;
  /** `metadata.continue` of the page before. */
  continueToken?: string;
  /** Absent: the newest state (a consistent read). */
  resourceVersion?: string;
}

export interface ObjectList<T> {
  items: T[];
  /** Where a watch may start. */
  resourceVersion: string;
  /** Absent on the last page. */
  continueToken?: string;
}

export interface ApplyOptions extends WriteOptions {
  /** One per controller: owns exactly the fields of its last apply. */
  fieldManager: string;
  /** Take fields from other managers instead of failing with `fieldConflicts`. Absent: false. */
  force?: boolean;
}

export type PatchBody =
  | { type: 'merge'; body: unknown }
  | { type: 'json'; body: readonly { op: string; path: string; value?: unknown; from?: string }[] };

export interface PatchOptions extends WriteOptions {
  fieldManager?: string;
  subresource?: 'status' | 'scale';
}

export interface DeleteOptions extends WriteOptions {
  /** Absent: the kind's default, `Background` for custom kinds. */
  propagation?: 'Background' | 'Foreground' | 'Orphan';
  /** Delete only this incarnation of the name; otherwise Conflict. */
  uid?: string;
  /** Delete only if unchanged since this version; otherwise Conflict. */
  resourceVersion?: string;
  gracePeriodSeconds?: number;
}

export interface WatchOptions extends Selectors {
  /** Start after this version. */
  resourceVersion: string;
  signal?: AbortSignal;
  /** How long the server keeps the watch open. Absent: 5 to 10 minutes, chosen at random. */
  timeoutSeconds?: number;
}

export interface RawRequest extends CallOptions {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute path, already escaped. */
  path: string;
  query?: Readonly<Record<string, string | undefined>>;
  body?: unknown;
  /** Media type of the body. Absent: `application/json`. */
  contentType?: string;
}

/** One finished call, for metrics. */
export interface CallRecord {
  verb: Verb;
  /** Plural of the kind with its subresource, e.g. `virtualmachines/status`; `raw` for raw calls. */
  resource: string;
  /** Key of the object. Absent: the call was about a collection. */
  key?: string;
  /** HTTP status, 0 when no answer came. */
  code: number;
  durationMs: number;
}

export type Verb = 'get' | 'list' | 'create' | 'apply' | 'patch' | 'update' | 'delete' | 'watch' | 'raw';
