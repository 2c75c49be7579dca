import { formatCores } from '../../../api/common/quantity.ts';
import { no, YES } from '../../model/verdict.ts';
import type { Filter } from '../filter.ts';

/**
 * A VM can have at most as many vCPUs as the host has hardware threads, and its reservation must be free.
 * Source: vSphere, "Virtual CPU limitations"; reservations are admission, not load.
 */
export const cpu: Filter = (request, host) => {
  if (request.vcpus > host.threads) {
    return no('TooFewCPUs', `it has ${host.threads} hardware threads, the VM has ${request.vcpus} vCPUs`);
  }
  const free = host.allocatable.cpuCores - host.reserved.cpuCores;
  const wanted = request.reserved.cpuCores;
  return wanted === 0 || wanted <= free
    ? YES
    : no(
        'InsufficientCPU',
        `${formatCores(Math.max(free, 0))} of ${formatCores(host.allocatable.cpuCores)} cores are not reserved, the VM reserves ${formatCores(wanted)}`,
      );
};
