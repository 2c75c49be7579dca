import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
