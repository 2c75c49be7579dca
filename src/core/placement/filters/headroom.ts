import { formatCores } from '../../../api/common/quantity.ts';
import type { Resources } from '../../model/host.ts';
import { mebibytes } from '../explain.ts';
import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

interface Facts {
  readonly kept: Resources;
  readonly free: Resources;
  readonly wanted: Resources;
}

/** What admission control keeps free on the host for a failure of others stays free. */
export const headroom: Filter =
  ({ reserved: wanted }) =>
  ({ headroom: kept, allocatable, reserved }) => {
    if (kept.cpuCores === 0 && kept.memoryBytes === 0) return undefined;
    const free = {
      cpuCores: Math.max(0, allocatable.cpuCores - reserved.cpuCores),
      memoryBytes: Math.max(0, allocatable.memoryBytes - reserved.memoryBytes),
    };
    const fitsCPU = wanted.cpuCores === 0 || free.cpuCores - wanted.cpuCores >= kept.cpuCores;
    // A host that lacks the memory at all says so in another rule.
    const fitsMemory =
      free.memoryBytes - wanted.memoryBytes >= kept.memoryBytes || free.memoryBytes < wanted.memoryBytes;
    return fitsCPU && fitsMemory ? undefined : obstacle('ReservedForFailover', { kept, free, wanted }, say);
  };

const say = ({ kept, free, wanted }: Facts) =>
  `${words(kept)} stay free for a failover, and of ${words(free)} the VM would take ${words(wanted)}`;

function words({ cpuCores, memoryBytes }: Resources): string {
  return `${formatCores(cpuCores)} cores and ${mebibytes(memoryBytes)}`;
}
