import { DomainState } from '../../../src/libvirt/index.ts';
import type { Invariant } from './invariant.ts';

/** A guest loses its memory by a reset as by a power cut: only one that hangs, or that its watchdog has stopped, is reset. */
export const onlyTheFailedAreReset: Invariant = {
  name: 'a guest that is well is not reset',
  onDomain: ({ host, domain, what }) => {
    if (what !== 'reset') return undefined;
    const { answers, isBusy } = domain.guest;
    const isWell = domain.state === DomainState.RUNNING && (answers || isBusy);
    return isWell ? `${domain.name} on ${host}` : undefined;
  },
};
