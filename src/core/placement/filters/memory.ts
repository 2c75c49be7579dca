import { no, YES } from '../../model/verdict.ts';
import { mebibytes } from '../explain.ts';
import type { Filter } from '../filter.ts';

/** The VM's memory with its overhead must be free on the host. */
export const memory: Filter = (request, host) => {
  const free = host.allocatable.memoryBytes - host.reserved.memoryBytes;
  const wanted = request.reserved.memoryBytes;
  return wanted <= free
    ? YES
    : no(
        'InsufficientMemory',
        `${mebibytes(Math.max(free, 0))} of ${mebibytes(host.allocatable.memoryBytes)} are free, the VM needs ${mebibytes(wanted)}`,
      );
};
