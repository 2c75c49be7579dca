import { DatastoreError, isFull, isLockError, isSpaceError } from '../../host/index.ts';
import { KubeError } from '../../kube/index.ts';

export type VolumeFailureReason =
  | 'DatastoreUnavailable'
  | 'ImageNotFound'
  | 'ImageUnusable'
  | 'NoSize'
  | 'SizeTooLarge'
  | 'SmallerThanImage'
  | 'OutOfSpace'
  | 'InUse'
  | 'ApiUnavailable'
  | 'StorageFailed';

/** Why work on a Volume could not be done, as its Ready condition says it. */
export class VolumeFailure extends Error {
  readonly reason: VolumeFailureReason;

  constructor(reason: VolumeFailureReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VolumeFailure';
    this.reason = reason;
  }
}

/** What any error means for a Volume. */
export function toVolumeFailure(error: unknown): VolumeFailure {
  if (error instanceof VolumeFailure) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (isSpaceError(error) || isFull(error)) {
    return new VolumeFailure('OutOfSpace', `the datastore is full; free some space or grow it (${message})`, {
      cause: error,
    });
  }
  if (isLockError(error)) {
    return new VolumeFailure('InUse', `the data is open in a QEMU, maybe on another host (${message})`, {
      cause: error,
    });
  }
  if (error instanceof DatastoreError && error.failure !== 'Failed' && error.failure !== 'Refused') {
    return new VolumeFailure('DatastoreUnavailable', message, { cause: error });
  }
  if (error instanceof KubeError) return new VolumeFailure('ApiUnavailable', message, { cause: error });
  return new VolumeFailure('StorageFailed', message, { cause: error });
}
