import { DatastoreError } from './datastore/error.ts';
import { isSystemError } from './durable-file.ts';

/** One block of every disk and file system in use, so that a transfer is one request. */
export const BLOCK_BYTES = 4096;

/** What a file system without direct I/O says is said in words. */
export function unlessDirect(error: unknown): unknown {
  if (!isSystemError(error, 'EINVAL')) return error;
  const message = 'its file system has no direct I/O (O_DIRECT), without which a lease on it says nothing';
  return new DatastoreError('Refused', message, { cause: error });
}

/** Twice a block holds an aligned one wherever it begins. */
const space = Buffer.alloc(2 * BLOCK_BYTES);
/** Where in `space` it was found to begin. */
let aligned = 0;
/** What memory is aligned to at least; direct I/O asks for a page at most. */
const STEP_BYTES = 8;
let turn: Promise<unknown> = Promise.resolve();

/**
 * Direct I/O takes memory from aligned addresses only, and JavaScript does not tell addresses: the kernel is asked, by trying, once
 * for each process. The buffer is in use by one call at a time.
 */
export async function direct<T>(
  io: (buffer: Buffer) => Promise<{ readonly bytes: number; readonly result: T }>,
): Promise<T> {
  const mine = turn.then(() => tryEachStart(io));
  turn = mine.catch(() => undefined);
  return await mine;
}

async function tryEachStart<T>(
  io: (buffer: Buffer) => Promise<{ readonly bytes: number; readonly result: T }>,
): Promise<T> {
  const starts = Array.from({ length: BLOCK_BYTES / STEP_BYTES }, (_, step) => step * STEP_BYTES);
  let refused: unknown;
  for (const start of [aligned, ...starts]) {
    try {
      const { bytes, result } = await io(space.subarray(start, start + BLOCK_BYTES));
      // At the end of a file any address is taken.
      if (bytes === BLOCK_BYTES) aligned = start;
      return result;
    } catch (error) {
      if (!isSystemError(error, 'EINVAL')) throw error;
      refused = error;
    }
  }
  throw unlessDirect(refused);
}
