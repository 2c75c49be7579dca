import { link, lstat, readdir, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSystemError, syncPath } from '../durable-file.ts';
import { DatastoreError } from './error.ts';
import { inDirectory, NoDirectoryError, type Root, requirePlainName } from './places.ts';

const VOLUMES = 'volumes';

/** Where in a datastore a Volume's files are. */
export interface VolumePlace extends Root {
  readonly namespace: string;
  /** Name of the data's file. */
  readonly file: string;
  /** Names of all unfinished files of this Volume begin with it. */
  readonly partialPrefix: string;
}

export type VolumeFile = { exists: false } | { exists: true; allocatedBytes: number };

export async function findVolume(place: VolumePlace): Promise<VolumeFile> {
  requirePlainName(place.file);
  return await inVolumes(
    place,
    { create: false },
    () => ({ exists: false }),
    async (directory) => {
      const found = await lstat(join(directory, place.file)).catch(unlessMissing);
      if (found === undefined) return { exists: false };
      if (!found.isFile())
        throw new DatastoreError('Refused', `${shown(place)} is not a regular file; remove it by hand`);
      // st_blocks counts units of 512 bytes on every file system (stat(2)).
      return { exists: true, allocatedBytes: found.blocks * 512 };
    },
  );
}

/**
 * Makes the directories, removes what earlier tries left unfinished (here or on a host that lost the Volume), and makes
 * the empty file that is to become the data: so it is readable to root only before qemu-img writes the first byte.
 */
export async function prepareVolume(place: VolumePlace & { readonly partial: string }): Promise<void> {
  requirePlainName(place.partial);
  await inVolumes(place, { create: true }, gone, async (directory) => {
    await removePartials(place, directory);
    await writeFile(join(directory, place.partial), '', { flag: 'wx', mode: 0o600 });
  });
}

/**
 * Makes a finished file the Volume's data: fsync, then link, which never replaces what another host has put there.
 * @returns false when there is data already; it is kept, and the new file removed.
 */
export async function commitVolume(place: VolumePlace & { readonly partial: string }): Promise<boolean> {
  requirePlainName(place.file);
  requirePlainName(place.partial);
  return await inVolumes(place, { create: false }, gone, async (directory, sync) => {
    const partial = join(directory, place.partial);
    await syncPath(partial);
    const committed = await linkUnlessThere(partial, join(directory, place.file));
    await unlink(partial);
    await sync();
    return committed;
  });
}

/** Removes the data and all unfinished files of a Volume. What is not there is no error. */
export async function removeVolume(place: VolumePlace): Promise<void> {
  requirePlainName(place.file);
  await inVolumes(place, { create: false }, nothing, async (directory, sync) => {
    await rm(join(directory, place.file), { force: true });
    await removePartials(place, directory);
    await sync();
  });
}

/** Removes one unfinished file; other tries, maybe of another host, keep theirs. */
export async function removePartial(place: VolumePlace & { readonly partial: string }): Promise<void> {
  requirePlainName(place.partial);
  if (!place.partial.startsWith(place.partialPrefix)) {
    throw new DatastoreError('Refused', `${place.partial} is no unfinished file of the Volume`);
  }
  await inVolumes(place, { create: false }, nothing, (directory) =>
    rm(join(directory, place.partial), { force: true }),
  );
}

async function inVolumes<T>(
  place: VolumePlace,
  options: { create: boolean },
  ifMissing: () => T,
  use: (directory: string, sync: () => Promise<void>) => Promise<T>,
): Promise<T> {
  try {
    return await inDirectory(place, [VOLUMES, place.namespace], options, (path, handle) =>
      use(path, () => handle.sync()),
    );
  } catch (error) {
    if (error instanceof NoDirectoryError) return ifMissing();
    throw error;
  }
}

/** Of a directory that is not there. */
const nothing = (): undefined => undefined;

/** Of a directory that was there. */
function gone(): never {
  throw new DatastoreError('Failed', 'the directory of the Volume vanished while it was made');
}

async function removePartials({ partialPrefix }: VolumePlace, directory: string): Promise<void> {
  if (!/^\.[A-Za-z0-9-]{8,}\.$/.test(partialPrefix)) {
    throw new DatastoreError('Refused', `"${partialPrefix}" is too short a prefix to delete by`);
  }
  const names = (await readdir(directory)).filter((name) => name.startsWith(partialPrefix));
  for (const name of names.sort()) await rm(join(directory, name), { force: true });
}

async function linkUnlessThere(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false;
    if (!isSystemError(error, 'EPERM', 'ENOTSUP', 'ENOSYS')) throw error;
    throw new DatastoreError(
      'Refused',
      'the file system has no hard links, which Drover needs to put a volume in place',
      {
        cause: error,
      },
    );
  }
}

function unlessMissing(error: unknown): undefined {
  if (isSystemError(error, 'ENOENT')) return undefined;
  throw error;
}

function shown(place: VolumePlace): string {
  return join(place.root, VOLUMES, place.namespace, place.file);
}
