import { RESTARTED_AT_ANNOTATION } from '../../../src/api/common/names.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { DomainState } from '../../../src/libvirt/index.ts';
import { isJson } from '../api/field-set.ts';
import type { Invariant, Seen } from './invariant.ts';

/**
 * No guest's power is cut that is to run: what is destroyed has another copy that goes on, or is to be off or restarted.
 * A copy that waited for its memory has never been a guest.
 */
export const guestsKept: Invariant = {
  name: 'a guest that is to run is not destroyed',
  onDomain: ({ host, domain, what }, seen) => {
    const uid = domain.virtualMachineUID;
    if (uid === undefined || !domain.hasRun || !what.endsWith(' stopped (destroyed)')) return undefined;
    const goesOn = seen.hosts.some(({ domains }) =>
      domains.some((other) => other.virtualMachineUID === uid && other.state === DomainState.RUNNING),
    );
    return goesOn || !isWanted(uid, seen) ? undefined : `${domain.name} on ${host}, and no other copy of it runs`;
  },
};

/** Whether the newest intent, and its user, want it to run on as it is. */
function isWanted(uid: string, { server }: Seen): boolean {
  const intent = server
    .list(VirtualMachineInstance)
    .find(({ spec }) => isJson(spec) && spec['virtualMachineUID'] === uid);
  const vm = server.list(VirtualMachine).find(({ metadata }) => metadata.uid === uid);
  if (!isJson(intent?.spec) || vm === undefined) return false;
  const isRestarted = vm.metadata.annotations?.[RESTARTED_AT_ANNOTATION] !== undefined;
  return intent.spec['powerState'] === 'Running' && !isRestarted;
}
