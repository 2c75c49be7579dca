import { formatBytes, parseBytes } from '../../api/common/quantity.ts';
import type { VolumeSpec } from '../../api/volume.ts';
import { no, type Verdict, YES } from '../model/verdict.ts';
import { MAX_DISK_BYTES } from './image-verdict.ts';

export type Preallocation = 'off' | 'falloc' | 'full';

/** How qemu-img takes the space of each provisioning. */
export function preallocationOf(provisioning: VolumeSpec['provisioning']): Preallocation {
  const table = { Thin: 'off', ThickLazyZeroed: 'falloc', ThickEagerZeroed: 'full' } as const;
  return table[provisioning];
}

/** An image to clone from, as inspected just now. */
export interface CloneSource {
  readonly virtualSizeBytes: number;
  readonly allocatedBytes: number;
}

export type SizeVerdict =
  | { readonly ok: true; readonly capacityBytes: number }
  | { readonly ok: false; readonly reason: 'NoSize' | 'SizeTooLarge' | 'SmallerThanImage'; readonly message: string };

/** qcow2 counts in sectors: other sizes are rounded up, as QEMU does. */
const SECTOR_BYTES = 512;

/** The size that a Volume's guest shall see. @param source absent: a blank Volume. */
export function capacityOf(spec: VolumeSpec, source: CloneSource | undefined): SizeVerdict {
  const sourceBytes = source === undefined ? 0 : roundUp(source.virtualSizeBytes);
  const askedBytes = spec.size === undefined ? undefined : roundUp(parseBytes(spec.size));
  const capacityBytes = askedBytes ?? sourceBytes;
  if (capacityBytes === 0) return { ok: false, reason: 'NoSize', message: 'a blank Volume needs a size above 0' };
  if (capacityBytes > MAX_DISK_BYTES) {
    const message = `size ${formatBytes(capacityBytes)} is more than ${formatBytes(MAX_DISK_BYTES)}, the largest disk`;
    return { ok: false, reason: 'SizeTooLarge', message };
  }
  if (capacityBytes < sourceBytes) {
    const message = `size ${formatBytes(capacityBytes)} is less than the image's ${formatBytes(sourceBytes)}; the end of the image would be cut off`;
    return { ok: false, reason: 'SmallerThanImage', message };
  }
  return { ok: true, capacityBytes };
}

/**
 * Whether a new Volume finds room. A Volume that fills the datastore stops the VMs whose disks lie there, so it is
 * refused before its first byte. A thin one needs what is copied into it; how far it grows later is not known.
 */
export function judgeSpace(
  provisioning: VolumeSpec['provisioning'],
  capacityBytes: number,
  source: CloneSource | undefined,
  freeBytes: number,
): Verdict {
  const neededBytes = provisioning === 'Thin' ? (source?.allocatedBytes ?? 0) : capacityBytes;
  if (neededBytes <= freeBytes) return YES;
  return no(
    'OutOfSpace',
    `needs ${mebibytes(neededBytes)} MiB and the datastore has ${mebibytes(freeBytes)} MiB free; free some or choose another datastore`,
  );
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}
