import type { Volume } from '../../api/volume.ts';
import { isImageOpen } from '../../host/index.ts';
import type { VolumesDependencies } from './deps.ts';
import { VolumeFailure } from './failure.ts';
import { placeOf } from './place.ts';

/**
 * Deletes the data of a Volume, unless somebody has it open: the operator has seen that no VM uses it, but a stray domain
 * of which it knows nothing may.
 * @throws VolumeFailure, or the error of a tool or file system (see `toVolumeFailure`).
 */
export async function deleteVolumeData(deps: VolumesDependencies, volume: Volume, signal: AbortSignal): Promise<void> {
  const place = placeOf(volume, deps.datastores);
  const user = deps.instances.list().find(({ spec }) => spec.disks.some(({ path }) => path === place.path));
  if (user !== undefined) {
    throw new VolumeFailure('InUse', `VirtualMachine "${user.metadata.name}" has the data as a disk; stop it first`);
  }
  const file = await place.files.call('findVolume', place.args);
  if (file.exists && (await isImageOpen(place.path, signal))) {
    throw new VolumeFailure('InUse', `${place.path} is open in a QEMU on this or another host; stop that domain first`);
  }
  await place.files.call('removeVolume', place.args);
}
