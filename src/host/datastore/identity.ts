import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOCK_BYTES, direct } from '../direct-io.ts';
import { isSystemError, syncPath } from '../durable-file.ts';
import { DatastoreError } from './error.ts';

/** Holds the datastore's identity: a random UUID and a newline. */
export const IDENTITY_FILE = '.drover-datastore';
const FORM = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/;
const MAX_BYTES = 64;

/**
 * The identity that a directory holds; undefined when it has none.
 * @throws DatastoreError when the file is there but is none of ours.
 */
export async function readIdentity(directory: string): Promise<string | undefined> {
  const text = await readSmallFile(join(directory, IDENTITY_FILE));
  if (text === undefined) return undefined;
  if (FORM.test(text)) return text.trim();
  throw new DatastoreError(
    'Refused',
    `${IDENTITY_FILE} does not hold a UUID and a newline: it was damaged or written by somebody else; restore it`,
  );
}

/**
 * Gives a directory an identity unless it has one, and returns the one it has now. Of many hosts that try at once one
 * wins and all see the same: the file is linked into place whole, which fails where one is (link(2)).
 */
export async function createIdentity(directory: string): Promise<string> {
  const found = await readIdentity(directory);
  if (found !== undefined) return found;
  const identity = randomUUID();
  const partial = join(directory, `${IDENTITY_FILE}.${identity}`);
  try {
    await writeFile(partial, `${identity}\n`, { flag: 'wx', mode: 0o644, flush: true });
    await link(partial, join(directory, IDENTITY_FILE));
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
  } finally {
    await rm(partial, { force: true });
  }
  await syncPath(directory);
  const winner = await readIdentity(directory);
  if (winner === undefined) throw new DatastoreError('NotReady', `${IDENTITY_FILE} vanished while it was made`);
  return winner;
}

/**
 * Reads the identity from the storage itself (O_DIRECT), so that one that is gone is noticed although this host's cache still knows what
 * was on it. A file system without direct I/O has nothing more to be asked.
 * @throws the system's error when the storage fails
 */
export async function readPastCaches(directory: string): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_DIRECT;
  try {
    const file = await open(join(directory, IDENTITY_FILE), flags);
    try {
      await direct(async (buffer) => {
        const { bytesRead: bytes } = await file.read(buffer, 0, BLOCK_BYTES, 0);
        return { bytes, result: undefined };
      });
    } finally {
      await file.close();
    }
  } catch (error) {
    const hasNone = isSystemError(error, 'EINVAL') || (error instanceof DatastoreError && error.failure === 'Refused');
    if (!hasNone) throw error;
  }
}

/** Neither follows a link nor waits for the other end of a FIFO. */
async function readSmallFile(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw new DatastoreError('Refused', `${IDENTITY_FILE} is not a regular file`);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    if (isSystemError(error, 'ELOOP')) throw new DatastoreError('Refused', `${IDENTITY_FILE} is a symbolic link`);
    throw error;
  }
}
