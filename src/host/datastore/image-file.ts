import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { isSystemError } from '../durable-file.ts';
import { DatastoreError } from './error.ts';
import { inDirectory, type Root } from './places.ts';

const IMAGES = 'images';

export type ImageFile =
  | { found: true; path: string; sizeBytes: number; modifiedMs: number }
  | { found: false; reason: 'NotFound' | 'OutsideOfImages' | 'NotAFile'; message: string };

/**
 * Finds the file of an Image and makes sure that it is a regular file that really lies below `images`: the path may
 * hold symbolic links, but none that lead out.
 * @param path relative to `images`.
 */
export async function findImage({ root, identity, path }: Root & { readonly path: string }): Promise<ImageFile> {
  // Opened only to prove that the datastore is the right one.
  await inDirectory({ root, identity }, [], { create: false }, async () => undefined);
  const shown = join(root, IMAGES, path);
  try {
    const images = await realpath(join(root, IMAGES));
    const real = await realpath(join(images, path));
    if (!real.startsWith(`${images}/`)) {
      const message = `${shown} leads to ${real}, outside of ${images}; put the file itself there`;
      return { found: false, reason: 'OutsideOfImages', message };
    }
    return await statRegularFile(real, shown);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) {
      return { found: false, reason: 'NotFound', message: `${shown} does not exist; copy the image there` };
    }
    if (isSystemError(error, 'ELOOP')) {
      return { found: false, reason: 'NotAFile', message: `${shown} is a link to itself` };
    }
    throw error;
  }
}

async function statRegularFile(real: string, shown: string): Promise<ImageFile> {
  const file = await openWithoutWaiting(real);
  if (file === undefined) return notAFile(shown);
  try {
    const facts = await file.stat();
    if (!facts.isFile()) return notAFile(shown);
    return { found: true, path: real, sizeBytes: facts.size, modifiedMs: facts.mtimeMs };
  } finally {
    await file.close();
  }
}

/** O_NONBLOCK: a FIFO would keep us waiting for a writer. ENXIO: a socket, or a device without driver. */
async function openWithoutWaiting(path: string) {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    if (isSystemError(error, 'ENXIO', 'ENODEV')) return undefined;
    if (!isSystemError(error, 'EACCES', 'EPERM')) throw error;
    throw new DatastoreError('Refused', `${path} cannot be read; check its owner and permissions`, { cause: error });
  }
}

function notAFile(shown: string): ImageFile {
  return { found: false, reason: 'NotAFile', message: `${shown} is no regular file; an image must be one` };
}
