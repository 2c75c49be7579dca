import { showBytes } from '../../api/common/quantity.ts';
import type { Volume, VolumeStatus } from '../../api/volume.ts';
import { type ConditionInput, setCondition } from '../../runtime/index.ts';
import type { VolumeFailureReason } from './failure.ts';
import type { RunningJob } from './jobs.ts';

/** The agent's part of a Volume's status; host and attachedTo are the operator's. */
export type AgentVolumeStatus = Omit<VolumeStatus, 'host' | 'attachedTo'>;

/** What is to be said of a Volume. */
export type VolumeReport =
  | { readonly is: 'Ready'; readonly path: string; readonly capacityBytes: number; readonly allocatedBytes: number }
  | { readonly is: 'Working'; readonly job: RunningJob }
  | { readonly is: 'Failed'; readonly reason: VolumeFailureReason | 'DataMissing'; readonly message: string }
  | { readonly is: 'Deleting'; readonly reason: string; readonly message: string }
  | { readonly is: 'Deleted' };

/** Pure: the status that says it. `lastTransitionTime` follows from the status before. */
export function volumeStatus(volume: Volume, report: VolumeReport, now: Date): AgentVolumeStatus {
  const observedGeneration = volume.metadata.generation;
  const before = (volume.status?.conditions ?? []).filter(({ type }) => type === 'Ready');
  const withReady = (ready: Pick<ConditionInput, 'status' | 'reason' | 'message'>) => ({
    observedGeneration,
    conditions: [...setCondition(before, { type: 'Ready', ...ready, observedGeneration }, now)],
  });
  const data = dataOf(volume);
  switch (report.is) {
    case 'Ready': {
      const { path, capacityBytes } = report;
      const allocatedBytes = steadyBytes(volume.status?.allocatedBytes, report.allocatedBytes);
      const ready = withReady({ status: 'True', reason: 'Provisioned', message: '' });
      const shown = { capacity: showBytes(capacityBytes), allocated: showBytes(allocatedBytes) };
      return { ...ready, phase: 'Ready', path, format: 'qcow2', capacityBytes, allocatedBytes, ...shown };
    }
    case 'Working': {
      const phase = report.job.kind === 'Create' ? 'Provisioning' : 'Resizing';
      return { ...withReady({ status: 'False', reason: phase, message: progressOf(report.job) }), phase, ...data };
    }
    case 'Failed': {
      const phase = phaseOfFailure(volume, report.reason);
      return { ...withReady({ status: 'False', reason: report.reason, message: report.message }), phase, ...data };
    }
    case 'Deleting': {
      const { reason, message } = report;
      return { ...withReady({ status: 'False', reason, message }), phase: 'Deleting', ...data };
    }
    case 'Deleted':
      return { ...withReady({ status: 'False', reason: 'Deleted', message: 'the data is gone' }), phase: 'Deleted' };
  }
}

type DataField = 'path' | 'format' | 'capacityBytes' | 'allocatedBytes' | 'capacity' | 'allocated';

/** What is known of the data stays in every status written about it. */
function dataOf({ status }: Volume): Pick<AgentVolumeStatus, DataField> {
  const { path, format, capacityBytes, allocatedBytes, capacity, allocated } = status ?? {};
  return {
    ...(path !== undefined && { path }),
    ...(format !== undefined && { format }),
    ...(capacityBytes !== undefined && { capacityBytes }),
    ...(allocatedBytes !== undefined && { allocatedBytes }),
    ...(capacity !== undefined && { capacity }),
    ...(allocated !== undefined && { allocated }),
  };
}

/** A Volume that cannot be grown can still be used, so it has not failed; one that waits for its datastore neither. */
function phaseOfFailure(volume: Volume, reason: VolumeFailureReason | 'DataMissing'): VolumeStatus['phase'] {
  if (reason === 'DataMissing') return 'Failed';
  if (volume.status?.path !== undefined) return 'Resizing';
  return reason === 'DatastoreUnavailable' ? 'Pending' : 'Failed';
}

function progressOf({ kind, started, fraction }: RunningJob): string {
  if (!started) return 'waits until other Volumes of this host are made';
  return kind === 'Create' ? `${Math.floor(fraction * 100)} % written` : 'the data is being made larger';
}

const MIN_CHANGE_BYTES = 64 * 2 ** 20;

/** Space taken changes all the time while a guest writes; only what a person would notice is worth a write. */
function steadyBytes(before: number | undefined, now: number): number {
  if (before === undefined) return now;
  return Math.abs(now - before) < Math.max(MIN_CHANGE_BYTES, before / 20) ? before : now;
}
