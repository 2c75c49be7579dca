import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { withLock } from '../lock.ts';
import { type Progress, type Report, silent } from '../report.ts';
import { run } from '../run.ts';
import { writeBootDisk } from './image/disk.ts';
import { initramfs } from './image/initramfs.ts';
import { unpackPackages } from './image/packages.ts';
import { recipeHash } from './image/recipe.ts';

/** A bootable disk with a small Linux that counts: what test VMs run. */
export interface GuestImage {
  /** qcow2, self-contained; shared by every lab of this user, so never write to it. */
  readonly disk: string;
  readonly diskBytes: number;
  /** The disk's size as its guest sees it. */
  readonly virtualBytes: number;
  /** Names the recipe: the same hash is the same guest. */
  readonly recipe: string;
}

const DISK = 'guest.qcow2';
const imageInfo = z.object({ 'virtual-size': z.int().positive() });

/**
 * The test guest's disk, from the cache or built now, from 33 MB of Debian packages that are not installed.
 * @throws when one of those or of `GUEST_BUILD_PACKAGES` cannot be had.
 */
export async function buildGuestImage(report: Report = silent, cacheFolder = guestCacheFolder()): Promise<GuestImage> {
  const recipe = recipeHash();
  const folder = join(cacheFolder, recipe);
  if (!existsSync(folder)) {
    await report.step('Test guest image', (progress) =>
      withLock(join(cacheFolder, 'lock'), progress, async () => {
        if (!existsSync(folder)) await build(cacheFolder, folder, progress);
      }),
    );
  }
  const disk = join(folder, DISK);
  const info = imageInfo.parse(JSON.parse(await run('qemu-img', ['info', '-U', '--output=json', disk])));
  return { disk, diskBytes: statSync(disk).size, virtualBytes: info['virtual-size'], recipe };
}

/** `$XDG_CACHE_HOME/drover/guest`, or below `~/.cache`. */
export function guestCacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'drover', 'guest');
}

/** Built aside and renamed, so that a build which is killed never leaves half an image. The caller holds the lock. */
async function build(cacheFolder: string, folder: string, progress: Progress): Promise<void> {
  const draft = join(cacheFolder, 'draft');
  const work = join(draft, 'work');
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    progress('fetching its Debian packages');
    const packages = await unpackPackages(work, progress);
    progress('building its disk');
    const initramfsFile = join(work, 'initramfs');
    writeFileSync(initramfsFile, await initramfs(packages));
    const raw = join(work, 'guest.raw');
    await writeBootDisk(raw, {
      kernel: join(packages.root, 'boot', `vmlinuz-${packages.kernelRelease}`),
      initramfs: initramfsFile,
    });
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, join(draft, DISK)]);
    writeFileSync(join(draft, 'packages.txt'), `${packages.versions.join('\n')}\n`);
    rmSync(work, { recursive: true });
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
