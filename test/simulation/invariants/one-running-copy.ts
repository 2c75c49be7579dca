import { DomainState } from '../../../src/libvirt/index.ts';
import type { Invariant } from './invariant.ts';

/** A VM never runs twice: of all its domains, the CPUs of one at most execute anything. */
export const oneRunningCopy: Invariant = {
  name: 'a VM never runs twice',
  holds: ({ hosts }) => {
    const running = new Map<string, string>();
    for (const host of hosts) {
      if (!host.isExecuting) continue;
      for (const { virtualMachineUID: uid, state, name } of host.domains) {
        if (uid === undefined || state !== DomainState.RUNNING) continue;
        const other = running.get(uid);
        if (other !== undefined) return `${name} runs on ${other} and on ${host.name}`;
        running.set(uid, host.name);
      }
    }
    return undefined;
  },
};
