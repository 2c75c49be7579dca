import { mebibytes } from '../explain.ts';
import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** What the VM needs must be there at all, however little else is on the host. Where room counts, more is asked. */
export const hostSize: Filter =
  ({ reserved: { memoryBytes: wantedBytes } }) =>
  (host) => {
    const allocatableBytes = host.allocatable.memoryBytes;
    return wantedBytes <= allocatableBytes
      ? undefined
      : obstacle('HostTooSmall', { allocatableBytes, wantedBytes }, say);
  };

const say = ({ allocatableBytes, wantedBytes }: { allocatableBytes: number; wantedBytes: number }) =>
  `it has ${mebibytes(allocatableBytes)} in all, the VM needs ${mebibytes(wantedBytes)}`;
