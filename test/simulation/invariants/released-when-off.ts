import { isJson } from '../api/field-set.ts';
import type { Invariant } from './invariant.ts';

/** An instance goes only with the proof that nothing of it is left: no host has a domain of its VM any more. */
export const releasedWhenOff: Invariant = {
  name: 'an instance outlives its domains',
  onCommit: ({ kind, key, before, after }, { hosts, byUser }) => {
    // Who takes the finalizers away takes the proof away: then what follows has to do without.
    if (byUser) return undefined;
    if (kind.plural !== 'virtualmachineinstances' || after !== undefined || !isJson(before?.spec)) return undefined;
    const uid = before.spec['virtualMachineUID'];
    const host = hosts.find(({ domains }) => domains.some(({ virtualMachineUID }) => virtualMachineUID === uid));
    return host === undefined ? undefined : `the instance of ${key} went while ${host.name} had a domain of it`;
  },
};
