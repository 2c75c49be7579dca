/**
 * Why a datastore did not serve. Missing: no such directory. WrongIdentity: another directory than before, as when it
 * is not mounted. NotReady: no identity yet. Hung: its file system does not answer. Refused: what was asked could harm.
 * Failed: the system call failed.
 */
export type DatastoreFailure = 'Missing' | 'WrongIdentity' | 'NotReady' | 'Hung' | 'Refused' | 'Failed';

/** A datastore on this host that did not do what was asked; the message says what to do. */
export class DatastoreError extends Error {
  readonly failure: DatastoreFailure;
  /** The system's error code (`ENOSPC`, `EACCES`, ...). Absent: no system call failed. */
  readonly code: string | undefined;

  constructor(
    failure: DatastoreFailure,
    message: string,
    options: { cause?: unknown; code?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DatastoreError';
    this.failure = failure;
    this.code = options.code;
  }
}

/** Whether it failed because the file system is full, or its quota used up. */
export function isFull(error: unknown): boolean {
  return error instanceof DatastoreError && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
