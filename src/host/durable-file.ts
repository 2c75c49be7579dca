import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Puts a file in place so that after a crash at any moment it holds either all of the old or all of the new content:
 * written beside it, fsynced, renamed, and the directory fsynced (fsync(2) says why that last step is needed).
 * @param mode permissions of the new file, such as 0o600.
 */
export async function writeFileDurably(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const partial = join(dirname(path), `.${basename(path)}.${randomUUID()}.partial`);
  try {
    const file = await open(partial, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await syncPath(dirname(path));
}

/** Makes what was written to a file, or the names in a directory, survive a power cut. */
export async function syncPath(path: string): Promise<void> {
  const handle: FileHandle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether a thrown value is the system error of this code (`ENOENT`, `EEXIST`, ...). */
export function isSystemError(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}
