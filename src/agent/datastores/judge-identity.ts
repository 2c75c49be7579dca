/** What is known of a Datastore's identity, and what its directory on this host holds. */
export interface IdentityFacts {
  readonly shared: boolean;
  /** `status.id` of the Datastore. Absent: the operator has fixed none. */
  readonly fixedId: string | undefined;
  /** For a Datastore that is not shared: what its directory held on this host before. Absent: never seen. */
  readonly knownId: string | undefined;
  /** What the directory holds now. Absent: nothing. */
  readonly foundId: string | undefined;
}

export type IdentityVerdict =
  /** Volumes may be made and deleted there. */
  | { readonly ok: true; readonly identity: string }
  /** The directory shows an identity which the operator has yet to fix. */
  | { readonly ok: false; readonly seen: true; readonly message: string }
  | { readonly ok: false; readonly seen: false; readonly message: string };

/**
 * Whether the directory is the Datastore. An unmounted file system looks like an empty directory, and a directory that
 * is said to be shared may not be: both are found out by the identity.
 */
export function judgeIdentity({ shared, fixedId, knownId, foundId }: IdentityFacts): IdentityVerdict {
  const expected = shared ? fixedId : knownId;
  if (foundId === undefined) {
    return unseen(`the directory holds no identity${expected === undefined ? '' : ` (${expected})`}; is it mounted?`);
  }
  if (expected === undefined) {
    if (!shared) return { ok: true, identity: foundId };
    return { ok: false, seen: true, message: 'the operator has not fixed the identity of the Datastore yet' };
  }
  if (foundId === expected) return { ok: true, identity: foundId };
  const why = shared
    ? 'it is another directory than on the hosts that saw it first; mount the shared file system here'
    : 'it is another directory than before; mount the one that was there, or make a new Datastore';
  return unseen(`the directory has identity ${foundId} instead of ${expected}: ${why}`);
}

/** Whether a directory without identity may be given one: only where none was ever seen. */
export function mayCreateIdentity({ shared, fixedId, knownId }: Omit<IdentityFacts, 'foundId'>): boolean {
  return (shared ? fixedId : knownId) === undefined;
}

function unseen(message: string): IdentityVerdict {
  return { ok: false, seen: false, message };
}
