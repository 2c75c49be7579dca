import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { isSystemError } from '../durable-file.ts';
import { DatastoreError } from './error.ts';
import { readIdentity } from './identity.ts';

/**
 * QEMU runs as another user and must pass through the directories; nobody else may list them. The files themselves are
 * 0600: libvirt hands them to QEMU's user for as long as the domain runs (`dynamic_ownership`).
 */
const DIRECTORY_MODE = 0o711;

/** A name of one file or directory: never a path, never hidden by accident, never `..`. */
const PLAIN_NAME = /^\.?[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** Which datastore: where it is, and the identity it must still have, so that no file goes into an empty mount point. */
export interface Root {
  readonly root: string;
  readonly identity: string;
}

/**
 * Opens directories one below the other, never following a symbolic link, and calls `use` with a path to the last that
 * stays in that very directory, whatever is renamed or unmounted meanwhile (/proc/self/fd, proc(5)).
 * @param create makes directories that are not there.
 * @throws DatastoreError when the datastore is not the expected one; NoDirectoryError when one is missing.
 */
export async function inDirectory<T>(
  { root, identity }: Root,
  names: readonly string[],
  { create }: { create: boolean },
  use: (path: string, handle: FileHandle) => Promise<T>,
): Promise<T> {
  for (const name of names) requirePlainName(name);
  let handle = await openRoot(root);
  const opened = [handle];
  try {
    await requireIdentity(root, pathOf(handle), identity);
    for (const name of names) {
      if (create) await makeDirectory(handle, name);
      handle = await openDirectory(join(pathOf(handle), name), join(root, ...names));
      opened.push(handle);
    }
    return await use(pathOf(handle), handle);
  } finally {
    for (const handle of opened.reverse()) await handle.close();
  }
}

/** @throws DatastoreError for a name that could lead elsewhere. */
export function requirePlainName(name: string): void {
  if (!PLAIN_NAME.test(name)) throw new DatastoreError('Refused', `"${name}" is no plain file name`);
}

function pathOf(handle: FileHandle): string {
  return `/proc/self/fd/${handle.fd}`;
}

async function openRoot(root: string): Promise<FileHandle> {
  try {
    return await open(root, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new DatastoreError('Missing', `${root} is not a directory on this host; create or mount it`, {
      cause: error,
    });
  }
}

async function requireIdentity(root: string, path: string, expected: string): Promise<void> {
  const found = await readIdentity(path);
  if (found === expected) return;
  throw new DatastoreError(
    'WrongIdentity',
    `${root} is not the datastore it was (${found ?? 'no identity'} instead of ${expected}); is its file system mounted?`,
  );
}

/** A directory below the datastore's is not there: whatever would be in it is not either. */
export class NoDirectoryError extends Error {
  override readonly name = 'NoDirectoryError';
}

async function openDirectory(path: string, shown: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) throw new NoDirectoryError(`${shown} does not exist`, { cause: error });
    if (!isSystemError(error, 'ELOOP', 'ENOTDIR')) throw error;
    throw new DatastoreError(
      'Refused',
      `${shown} is not a directory of its own but a link or file; make it a directory`,
      {
        cause: error,
      },
    );
  }
}

async function makeDirectory(parent: FileHandle, name: string): Promise<void> {
  try {
    await mkdir(join(pathOf(parent), name), { mode: DIRECTORY_MODE });
    await parent.sync();
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
  }
}
