import { VOLUME_PROTECTION_FINALIZER } from '../../api/common/names.ts';
import { parseBytes } from '../../api/common/quantity.ts';
import type { Volume } from '../../api/volume.ts';

/** Work on a Volume that takes its time and goes on beside the controller. */
export type VolumeJob = 'Create' | 'Grow';

export interface VolumeFacts {
  /** Absent: the Volume is gone, or another host's by now. */
  readonly volume: Volume | undefined;
  readonly host: string;
  /** What is under way for it here. Absent: nothing. */
  readonly job: VolumeJob | undefined;
  /** The data. Absent: not looked for yet. */
  readonly file: { readonly exists: false } | { readonly exists: true; readonly capacityBytes: number } | undefined;
}

export type VolumeStep =
  /** Not ours: stop what is under way, leave the data alone. */
  | { readonly step: 'Release' }
  /** Deleted, but something may still use the data. */
  | { readonly step: 'AwaitUnprotected' }
  | { readonly step: 'Delete' }
  | { readonly step: 'Done' }
  /** Look at the datastore: nothing can be decided without. */
  | { readonly step: 'Look' }
  | { readonly step: 'AwaitJob' }
  | { readonly step: 'Create' }
  | { readonly step: 'Grow'; readonly toBytes: number }
  /** The data was made once and is not there. */
  | { readonly step: 'ReportMissing' }
  | { readonly step: 'ReportReady' };

/** What the agent does next for one Volume. The first rule that fits decides. */
export function nextVolumeStep({ volume, host, job, file }: VolumeFacts): VolumeStep {
  if (volume === undefined || volume.status?.host !== host) return { step: 'Release' };
  if (volume.metadata.deletionTimestamp !== undefined) return deletionStep(volume);
  if (job !== undefined) return { step: 'AwaitJob' };
  if (file === undefined) return { step: 'Look' };
  if (!file.exists) {
    // The path is written only after the data: making a blank disk in its place would hide a loss.
    return volume.status.path === undefined ? { step: 'Create' } : { step: 'ReportMissing' };
  }
  const wantedBytes = volume.spec.size === undefined ? 0 : parseBytes(volume.spec.size);
  if (wantedBytes > file.capacityBytes) return { step: 'Grow', toBytes: wantedBytes };
  return { step: 'ReportReady' };
}

function deletionStep(volume: Volume): VolumeStep {
  if (volume.metadata.finalizers.includes(VOLUME_PROTECTION_FINALIZER)) return { step: 'AwaitUnprotected' };
  return volume.status?.phase === 'Deleted' ? { step: 'Done' } : { step: 'Delete' };
}
