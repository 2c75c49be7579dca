import { Host } from '../../../src/api/host.ts';
import type { KubeObject } from '../../../src/kube/index.ts';
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
    if (proof === 'HostConfirmed' && !isConfirmed(before))
      return `${move}, and its host has not confirmed that it is off`;
    if (proof !== 'NeverStarted' && proof !== 'HostConfirmed' && !isWritten(String(host), bootID, seen))
      return `${move}, and its proof is not written`;
    const left = seen.hosts.find(({ domains }) => domains.some(({ virtualMachineUID }) => virtualMachineUID === uid));
    // Who lies about the power, or confirms what is not so, has to be believed.
    const isBelieved = proof === 'Administrator' || (left !== undefined && seen.bmcs.get(left.name)?.hasLied);
    return left === undefined || isBelieved ? undefined : `${move}, and ${left.name} has a domain of it`;
  },
};

function isConfirmed({ spec, status }: KubeObject): boolean {
  if (!isJson(spec) || !isJson(status)) return false;
  const { phase, host, observedEpoch } = status;
  return spec['powerState'] === 'Off' && phase === 'Off' && host === spec['host'] && observedEpoch === spec['epoch'];
}

function isWritten(name: string, bootID: unknown, { server }: Seen): boolean {
  const status = server.find(Host, { name })?.status;
  const availability = isJson(status) ? status['availability'] : undefined;
  const fence = isJson(availability) ? availability['fence'] : undefined;
  return isJson(fence) && fence['bootID'] === bootID && fence['confirmedAt'] !== undefined;
}
