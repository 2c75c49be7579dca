import type { Filter } from '../filter.ts';

/** A host that cannot run VMs now is left out, for the reason that its conditions give. */
export const hostReady: Filter = (_request, host) => host.ready;
