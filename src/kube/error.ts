/** metav1.StatusCause: one field at fault. */
export interface KubeErrorCause {
  /** E.g. `FieldValueInvalid`, `FieldManagerConflict`. */
  reason: string;
  message: string;
  /** Path of the field, e.g. `spec.memory.size`; empty when the cause is not about a field. */
  field: string;
}

/** A field that server-side apply would take from another manager. */
export interface FieldConflict {
  /** Path as the API server writes it, e.g. `.spec.host`. */
  field: string;
  /** The field manager that owns it. */
  owner: string;
}

export interface KubeErrorDetails {
  /** HTTP status, or 0 when no answer was received. */
  code: number;
  /** metav1.StatusReason (`NotFound`, `Conflict`, `Invalid`, ...) or, without an answer, `Timeout`, `Aborted`, `Unreachable`, `BadResponse`, `Silent` (a watch); for an unknown path `PathNotFound`. */
  reason: string;
  message: string;
  causes?: KubeErrorCause[];
  /** How long the server asks to wait before the next try. Absent: it does not say. */
  retryAfterMs?: number;
  cause?: unknown;
}

/** Every failure of a call to the API server: what was asked, what the server said, and which fields are at fault. */
export class KubeError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly causes: readonly KubeErrorCause[];
  readonly retryAfterMs: number | undefined;

  constructor(details: KubeErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'KubeError';
    this.code = details.code;
    this.reason = details.reason;
    this.causes = details.causes ?? [];
    this.retryAfterMs = details.retryAfterMs;
  }

  /**
   * The API server says that there is no such object. A 404 that names no object is none (its reason is `PathNotFound`):
   * the server does not serve the kind, as while it starts, or something before it answered.
   */
  isNotFound(): boolean {
    return this.reason === 'NotFound';
  }

  isAlreadyExists(): boolean {
    return this.reason === 'AlreadyExists';
  }

  /** A stale resourceVersion or uid, or a server-side apply that another manager's fields refuse. */
  isConflict(): boolean {
    return this.code === 409 && this.reason !== 'AlreadyExists';
  }

  /** The fields another manager owns; empty unless a server-side apply was refused for them. */
  get fieldConflicts(): readonly FieldConflict[] {
    return this.causes
      .filter((cause) => cause.reason === 'FieldManagerConflict')
      .map(({ field, message }) => ({ field, owner: ownerIn(message) }));
  }

  /** The resource version asked for is gone (410): list again. */
  isExpired(): boolean {
    return this.code === 410 || this.reason === 'Expired' || this.reason === 'Gone';
  }

  isInvalid(): boolean {
    return this.code === 422 || this.reason === 'Invalid' || this.code === 400;
  }

  isForbidden(): boolean {
    return this.code === 403;
  }

  isUnauthorized(): boolean {
    return this.code === 401;
  }

  /** The caller's own signal ended the call; it says nothing about the server. */
  isAborted(): boolean {
    return this.reason === 'Aborted';
  }

  /** The same call may succeed later, unchanged: no answer, overload, or a server that is starting or stopping. */
  isTransient(): boolean {
    if (this.isAborted() || this.reason === 'LeadershipLost') return false;
    return this.code === 0 || this.code === 429 || this.code >= 500;
  }
}

/** The API server writes `conflict with "kubectl" using v1`, the name in Go's quotes; the field stands in its own place. */
function ownerIn(message: string): string {
  const quoted = /conflict with "(?<name>(?:[^"\\]|\\.)*)"/.exec(message)?.groups?.['name'];
  return quoted?.replace(/\\(.)/g, '$1') ?? message;
}
