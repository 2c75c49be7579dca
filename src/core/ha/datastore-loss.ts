import type { DatastoreLossReason } from '../../api/host-storage.ts';

/** A datastore that a host has lost. Times in Unix time, milliseconds. */
export interface DatastoreLoss {
  readonly reason: DatastoreLossReason;
  /** When it was noticed. It stays the same as long as the datastore is away, whatever becomes known of the reason. */
  readonly sinceMs: number;
  /** Since when every look has ended in EIO. Absent: the last one has not. */
  readonly failingSinceMs?: number;
}

/** Why a look at a datastore failed. */
export interface FailedLook {
  /** As `DatastoreFailure` of the host's files. WrongIdentity: another directory is there, or an empty mount point. */
  readonly failure: 'Missing' | 'WrongIdentity' | 'NotReady' | 'Hung' | 'Refused' | 'Failed';
  /** The system's error code. Absent: no system call failed. */
  readonly code?: string | undefined;
}

/**
 * What does not come back by itself. ESTALE: the NFS server has no such export any more. ENODEV, ENXIO: the device was taken away
 * (block layer: BLK_STS_OFFLINE and a SCSI device that is gone). ESHUTDOWN: the kernel has shut the file system's client down, as Ceph does
 * with one on its blocklist.
 */
const GONE: ReadonlySet<string> = new Set(['ESTALE', 'ENODEV', 'ENXIO', 'ENOMEDIUM', 'ESHUTDOWN']);

/** What paths that are down end in, which may come up again: errno(3); a soft NFS mount gives up with ETIMEDOUT. */
const PATHS_DOWN: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOTCONN',
  'ENOLINK',
]);

/**
 * File systems tell nearly every fault of a device as EIO, and soft NFS mounts a server that is away, too. Told at once, and all
 * the time for longer than the paths of a device take to fail over (multipath's usual no_path_retry is shorter), it is for good.
 */
export const EIO_FOR_GOOD_MS = 60_000;

/**
 * What a failed look at a datastore makes of its loss.
 * @param before what the looks before have made of it. Undefined: it was there
 * @returns undefined: it is no loss, such as a refused access; guests that have their disks open may go on
 */
export function lossAfter(
  before: DatastoreLoss | undefined,
  { failure, code = '' }: FailedLook,
  nowMs: number,
): DatastoreLoss | undefined {
  const sinceMs = Math.min(before?.sinceMs ?? nowMs, nowMs);
  if (failure === 'Missing' || failure === 'WrongIdentity' || GONE.has(code))
    return { reason: 'PermanentlyLost', sinceMs };
  if (failure === 'Hung' || PATHS_DOWN.has(code)) return { reason: 'AllPathsDown', sinceMs };
  if (code !== 'EIO') return undefined;
  const failingSinceMs = Math.min(before?.failingSinceMs ?? nowMs, nowMs);
  const isForGood = before?.reason === 'PermanentlyLost' || nowMs - failingSinceMs >= EIO_FOR_GOOD_MS;
  return { reason: isForGood ? 'PermanentlyLost' : 'AllPathsDown', sinceMs, failingSinceMs };
}
