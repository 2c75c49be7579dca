import { formatCores } from '../../../api/common/quantity.ts';
import { mebibytes } from '../explain.ts';
import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** What admission control keeps free on the host for a failure of others stays free. */
export const headroom: Filter =
  ({ reserved: wanted }) =>
  (host) => {
    const { headroom: kept } = host;
    if (kept.cpuCores === 0 && kept.memoryBytes === 0) return undefined;
    const freeCores = host.allocatable.cpuCores - host.reserved.cpuCores;
    const freeBytes = host.allocatable.memoryBytes - host.reserved.memoryBytes;
    const fitsCPU = wanted.cpuCores === 0 || freeCores - wanted.cpuCores >= kept.cpuCores;
    // A host that lacks the memory at all says so in another rule.
    if (fitsCPU && (freeBytes - wanted.memoryBytes >= kept.memoryBytes || freeBytes < wanted.memoryBytes)) {
      return undefined;
    }
    return obstacle(
      'ReservedForFailover',
      { freeCores, freeBytes, keptCores: kept.cpuCores, keptBytes: kept.memoryBytes, wanted },
      (facts) =>
        `${formatCores(facts.keptCores)} cores and ${mebibytes(facts.keptBytes)} stay free for a failover, and of ${formatCores(Math.max(0, facts.freeCores))} cores and ${mebibytes(Math.max(0, facts.freeBytes))} the VM would take ${formatCores(facts.wanted.cpuCores)} and ${mebibytes(facts.wanted.memoryBytes)}`,
    );
  };
