import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** A host that an administrator wants empty takes no VM, but for one of which it may still run a copy. */
export const maintenance: Filter =
  ({ onlyHost }) =>
  (host) =>
    host.inMaintenance && host.name !== onlyHost ? IN_MAINTENANCE : undefined;

const IN_MAINTENANCE = obstacle('HostInMaintenance', {}, () => 'it is in maintenance (spec.maintenance)');
