import { formatCores } from '../../../api/common/quantity.ts';
import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

interface Facts {
  readonly freeCores: number;
  readonly allocatableCores: number;
  readonly wantedCores: number;
}

/** The cores that the VM reserves must be free. A reservation is admission, not load: without one the VM asks nothing. */
export const cpu: Filter = ({ reserved: { cpuCores: wantedCores } }) =>
  wantedCores === 0
    ? undefined
    : (host) => {
        const allocatableCores = host.allocatable.cpuCores;
        const freeCores = Math.max(0, allocatableCores - host.reserved.cpuCores);
        return wantedCores <= freeCores
          ? undefined
          : obstacle('InsufficientCPU', { freeCores, allocatableCores, wantedCores }, say);
      };

const say = ({ freeCores, allocatableCores, wantedCores }: Facts) =>
  `${formatCores(freeCores)} of ${formatCores(allocatableCores)} cores are not reserved, the VM reserves ${formatCores(wantedCores)}`;
