import { Host } from '../../../src/api/host.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { isConfirmedOff } from '../../../src/core/virtual-machine/next-step.ts';
import { isJson } from '../api/field-set.ts';
import type { Invariant, Seen } from './invariant.ts';

/** A VM is given another host only by a migration, or with a proof that stands written, and is true: no domain of it is left. */
export const proofBeforeRestart: Invariant = {
  name: 'proof before a restart',
  onCommit: ({ kind, key, before, after }, seen) => {
    if (kind.plural !== 'virtualmachineinstances' || !isJson(before?.spec) || !isJson(after?.spec)) return undefined;
    const { host, virtualMachineUID: uid } = before.spec;
    if (host === after.spec['host'] || before.spec['migration'] !== undefined) return undefined;
    const { failover, epoch } = after.spec;
    const move = `${key} went from ${String(host)} to ${String(after.spec['host'])}`;
    if (!isJson(failover) || failover['epoch'] !== epoch) return `${move} without any proof`;
    const { proof, bootID } = failover;
    // A host that has failed to start it, or has lost a datastore of it, and says that nothing of it is left, needs no other proof.
    const isConfirmed = isConfirmedOff(VirtualMachineInstance.object.parse(before));
    if (proof === 'HostConfirmed' && !isConfirmed) return `${move}, and its host has not confirmed that it is off`;
    if (!isConfirmed && proof !== 'NeverStarted' && !isWritten(String(host), bootID, seen))
      return `${move}, and its proof is not written`;
    const left = seen.hosts.find(({ domains }) => domains.some(({ virtualMachineUID }) => virtualMachineUID === uid));
    // Who lies about the power, or confirms what is not so, has to be believed.
    const isBelieved =
      !isConfirmed && (proof === 'Administrator' || (left !== undefined && seen.bmcs.get(left.name)?.hasLied));
    return left === undefined || isBelieved ? undefined : `${move}, and ${left.name} has a domain of it`;
  },
};

function isWritten(name: string, bootID: unknown, { server }: Seen): boolean {
  const status = server.find(Host, { name })?.status;
  const availability = isJson(status) ? status['availability'] : undefined;
  const fence = isJson(availability) ? availability['fence'] : undefined;
  return isJson(fence) && fence['bootID'] === bootID && fence['confirmedAt'] !== undefined;
}
