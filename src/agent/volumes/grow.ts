import type { Volume } from '../../api/volume.ts';
import { judgeSpace, preallocationOf } from '../../core/storage/provisioning.ts';
import { growImage } from '../../host/index.ts';
import { BlockResize, isLibvirtError } from '../../libvirt/index.ts';
import type { VolumesDependencies } from './deps.ts';
import { VolumeFailure } from './failure.ts';
import { placeOf } from './place.ts';

/**
 * Makes a Volume larger: through the domain of this host that has it open, so that the guest sees it at once, else in
 * the file. Killed at any moment, the next try does what is left.
 * @throws VolumeFailure, or the error of a tool or file system (see `toVolumeFailure`).
 */
export async function growVolume(
  deps: VolumesDependencies,
  volume: Volume,
  toBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const place = placeOf(volume, deps.datastores);
  const moreBytes = Math.max(0, toBytes - (volume.status?.capacityBytes ?? 0));
  const { freeBytes } = await place.files.call('probe', { root: place.args.root, create: false });
  const verdict = judgeSpace(volume.spec.provisioning, moreBytes, undefined, freeBytes);
  if (!verdict.ok) throw new VolumeFailure('OutOfSpace', verdict.message);
  if (await growLive(deps, place.path, toBytes, signal)) return;
  const preallocation = preallocationOf(volume.spec.provisioning);
  await growImage({ file: { path: place.path, format: 'qcow2' }, sizeBytes: toBytes, preallocation, signal });
}

/** @returns false when no domain of this host has the file open. */
async function growLive(
  { instances, libvirt }: VolumesDependencies,
  path: string,
  size: number,
  signal: AbortSignal,
): Promise<boolean> {
  for (const { spec } of instances.list()) {
    const disk = spec.disks.find((candidate) => candidate.path === path);
    if (disk === undefined) continue;
    try {
      const { dom } = await libvirt.call('domainLookupByUuid', { uuid: spec.domainUUID }, { signal });
      await libvirt.call('domainBlockResize', { dom, disk: disk.target, size, flags: BlockResize.BYTES }, { signal });
      return true;
    } catch (error) {
      // No domain, or one that is just stopping: then the file is free or will be.
      if (!isLibvirtError(error, 'NO_DOMAIN', 'OPERATION_INVALID')) throw error;
    }
  }
  return false;
}
