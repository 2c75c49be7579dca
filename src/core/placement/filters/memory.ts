import { mebibytes } from '../explain.ts';
import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** The VM's memory with its overhead must be free on the host. */
export const memory: Filter =
  ({ reserved: { memoryBytes: wantedBytes } }) =>
  (host) => {
    const allocatableBytes = host.allocatable.memoryBytes;
    const freeBytes = Math.max(0, allocatableBytes - host.reserved.memoryBytes);
    return wantedBytes <= freeBytes
      ? undefined
      : obstacle(
          'InsufficientMemory',
          { freeBytes, allocatableBytes, wantedBytes },
          (facts) =>
            `${mebibytes(facts.freeBytes)} of ${mebibytes(facts.allocatableBytes)} are free, the VM needs ${mebibytes(facts.wantedBytes)}`,
        );
  };
