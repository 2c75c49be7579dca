import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool, ToolError } from './run-tool.ts';

/** What a NoCloud seed holds. Source: cloud-init documentation, "NoCloud". */
export interface Seed {
  /** Directory of the seeds; made when absent. QEMU's user must be able to pass through it. */
  directory: string;
  /** Name of the image without its extension; one per VM. */
  name: string;
  /** The file `meta-data`: at least `instance-id`. */
  metaData: string;
  /** The file `user-data`, which cloud-init demands even when it is empty. Absent: empty. */
  userData?: string | undefined;
  /** The file `network-config`. Absent: not in the seed, the guest decides. */
  networkData?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Both write the image with the same options; genisoimage is in every distribution but RHEL 9, which has xorriso. */
const WRITERS = ['genisoimage', 'xorrisofs'] as const;
const TIMEOUT_MS = 20_000;

/**
 * Writes the seed as an ISO 9660 image with the label CIDATA, which cloud-init looks for, and returns its path. The
 * image is readable to root only, since user-data may be a secret, and appears whole or not at all. It is not fsynced: after
 * a power cut no VM runs, and the next start writes it anew.
 * @throws ToolError when no writer is installed or it fails.
 */
export async function writeSeed(seed: Seed): Promise<string> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(seed.name)) throw new RangeError(`"${seed.name}" cannot name a seed image`);
  await mkdir(seed.directory, { recursive: true, mode: 0o711 });
  // mkdtemp makes the directory 0700: the plain files are as secret as the image.
  const scratch = await mkdtemp(join(seed.directory, '.seed-'));
  try {
    const files = Object.entries({
      'meta-data': seed.metaData,
      'user-data': seed.userData ?? '',
      ...(seed.networkData !== undefined && { 'network-config': seed.networkData }),
    });
    for (const [name, content] of files) await writeFile(join(scratch, name), content, { mode: 0o600 });
    const image = join(scratch, `${randomUUID()}.iso`);
    await writeIso(
      image,
      files.map(([name]) => `${name}=${join(scratch, name)}`),
      seed.signal,
    );
    await chmod(image, 0o600);
    const path = seedPath(seed.directory, seed.name);
    await rename(image, path);
    return path;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Removes a seed; one that is not there is no error. A running QEMU keeps reading the image it opened. */
export async function removeSeed(directory: string, name: string): Promise<void> {
  await rm(seedPath(directory, name), { force: true });
}

export function seedPath(directory: string, name: string): string {
  return join(directory, `${name}.iso`);
}

/** Joliet and Rock Ridge: without them the names would become META_DAT and USER_DAT. */
async function writeIso(image: string, grafts: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const args = [
    '-quiet',
    // Padded: BusyBox finds no label on a disk of less than 68 KiB, its read of the superblocks falls short.
    '-pad',
    '-output',
    image,
    '-volid',
    'CIDATA',
    '-joliet',
    '-rock',
    '-graft-points',
    ...grafts,
  ];
  let missing: unknown;
  for (const command of WRITERS) {
    try {
      await runTool({ command, args, timeoutMs: TIMEOUT_MS, signal });
      return;
    } catch (error) {
      if (!(error instanceof ToolError && error.failure === 'NotInstalled')) throw error;
      missing ??= error;
    }
  }
  throw missing;
}
