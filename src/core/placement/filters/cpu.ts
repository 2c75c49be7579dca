import { formatCores } from '../../../api/common/quantity.ts';
import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** The cores that the VM reserves must be free. A reservation is admission, not load: without one the VM asks nothing. */
export const cpu: Filter = ({ reserved: { cpuCores: wantedCores } }) =>
  wantedCores === 0
    ? undefined
    : (host) => {
        const allocatableCores = host.allocatable.cpuCores;
        const freeCores = Math.max(0, allocatableCores - host.reserved.cpuCores);
        return wantedCores <= freeCores
          ? undefined
          : obstacle(
              'InsufficientCPU',
              { freeCores, allocatableCores, wantedCores },
              (facts) =>
                `${formatCores(facts.freeCores)} of ${formatCores(facts.allocatableCores)} cores are not reserved, the VM reserves ${formatCores(facts.wantedCores)}`,
            );
      };
