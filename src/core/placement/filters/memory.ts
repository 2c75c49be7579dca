import { mebibytes } from '../explain.ts';
import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

interface Facts {
  readonly freeBytes: number;
  readonly allocatableBytes: number;
  readonly wantedBytes: number;
}

/** The VM's memory with its overhead must be free on the host. */
export const memory: Filter =
  ({ reserved: { memoryBytes: wantedBytes } }) =>
  (host) => {
    const allocatableBytes = host.allocatable.memoryBytes;
    const freeBytes = Math.max(0, allocatableBytes - host.reserved.memoryBytes);
    return wantedBytes <= freeBytes
      ? undefined
      : obstacle('InsufficientMemory', { freeBytes, allocatableBytes, wantedBytes }, say);
  };

const say = ({ freeBytes, allocatableBytes, wantedBytes }: Facts) =>
  `${mebibytes(freeBytes)} of ${mebibytes(allocatableBytes)} are free, the VM needs ${mebibytes(wantedBytes)}`;
