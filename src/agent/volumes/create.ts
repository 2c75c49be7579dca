import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Image } from '../../api/image.ts';
import type { Volume } from '../../api/volume.ts';
import { type CloneSource, capacityOf, judgeSpace, preallocationOf } from '../../core/storage/provisioning.ts';
import { partialFileName } from '../../core/storage/volume-path.ts';
import { convertImage, createImage, type DiskFile, growImage } from '../../host/index.ts';
import { KubeError } from '../../kube/index.ts';
import { inspectImageFile } from '../images/inspect.ts';
import type { VolumesDependencies } from './deps.ts';
import { VolumeFailure } from './failure.ts';
import { placeOf, type VolumePlace } from './place.ts';

interface Source extends CloneSource {
  readonly file: DiskFile;
}

/** Flushing a large copy to slow storage takes its time. */
const COMMIT_TIMEOUT_MS = 15 * 60_000;

/**
 * Makes the data of a Volume beside its place and links it there when it is whole and on stable storage; so whatever is
 * in its place is complete. Killed at any moment, the next try starts over and removes what this one left.
 * @throws VolumeFailure, or the error of a tool or file system (see `toVolumeFailure`).
 */
export async function createVolume(
  deps: VolumesDependencies,
  volume: Volume,
  signal: AbortSignal,
  onProgress: (fraction: number) => void,
): Promise<void> {
  const place = placeOf(volume, deps.datastores);
  const source = await sourceOf(deps, volume, signal);
  const size = capacityOf(volume.spec, source);
  if (!size.ok) throw new VolumeFailure(size.reason, size.message);
  await requireSpace(place, volume, size.capacityBytes, source);

  const partial = partialFileName(place.identity, randomUUID());
  const args = { ...place.args, partial };
  await place.files.call('prepareVolume', args);
  try {
    await write(volume, source, size.capacityBytes, join(place.folder, partial), signal, onProgress);
    signal.throwIfAborted();
    await place.files.call('commitVolume', args, COMMIT_TIMEOUT_MS);
  } catch (error) {
    // What cannot be removed now is removed by the next try, or with the Volume.
    await place.files.call('removePartial', args).catch((cause: unknown) => {
      deps.log.warn({ volume: place.path, err: cause }, 'cannot remove an unfinished file yet');
    });
    throw error;
  }
}

/** Inspected here and now, by this host: the Image's status may be of another time or written by a stolen token. */
async function sourceOf(
  { client, datastores }: VolumesDependencies,
  volume: Volume,
  signal: AbortSignal,
): Promise<Source | undefined> {
  const { imageName: name } = volume.spec.source;
  if (name === undefined) return undefined;
  const image = await client
    .get<Image>(Image, { namespace: volume.metadata.namespace, name }, { signal })
    .catch((error: unknown) => {
      if (!(error instanceof KubeError) || !error.isNotFound()) throw error;
      throw new VolumeFailure('ImageNotFound', `Image "${name}" does not exist in this namespace; make it`, {
        cause: error,
      });
    });
  const inspected = await inspectImageFile(datastores.access(image.spec.datastoreName), image.spec.path, signal);
  if (!inspected.ok) {
    const reason = inspected.reason === 'DatastoreUnavailable' ? 'DatastoreUnavailable' : 'ImageUnusable';
    throw new VolumeFailure(reason, `Image "${name}" (${inspected.reason}): ${inspected.message}`);
  }
  const { path, format, info } = inspected;
  return { file: { path, format }, virtualSizeBytes: info.virtualSizeBytes, allocatedBytes: info.allocatedBytes };
}

async function requireSpace(
  { files, args }: VolumePlace,
  { spec }: Volume,
  capacityBytes: number,
  source: Source | undefined,
): Promise<void> {
  const { freeBytes } = await files.call('probe', { root: args.root, create: false });
  const verdict = judgeSpace(spec.provisioning, capacityBytes, source, freeBytes);
  if (!verdict.ok) throw new VolumeFailure('OutOfSpace', verdict.message);
}

async function write(
  { spec }: Volume,
  source: Source | undefined,
  sizeBytes: number,
  path: string,
  signal: AbortSignal,
  onProgress: (fraction: number) => void,
): Promise<void> {
  const preallocation = preallocationOf(spec.provisioning);
  if (source === undefined) {
    await createImage({ path, sizeBytes, preallocation, signal });
    return;
  }
  const { file, virtualSizeBytes: sourceSizeBytes } = source;
  await convertImage({ source: file, sourceSizeBytes, targetPath: path, preallocation, onProgress, signal });
  if (sizeBytes > sourceSizeBytes) {
    await growImage({ file: { path, format: 'qcow2' }, sizeBytes, preallocation, signal });
  }
}
