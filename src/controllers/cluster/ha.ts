import type { Cluster, ClusterStatus } from '../../api/cluster.ts';
import type { HAPolicy } from '../../api/ha-policy.ts';
import type { Host } from '../../api/host.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import { policyOf } from '../../core/ha/policy.ts';
import { isSilent } from '../../core/model/read-host.ts';
import { shortList } from '../../core/model/short-list.ts';
import { type ConditionInput, isTrue } from '../../runtime/index.ts';

/** Hosts that the condition names. */
const HOSTS_NAMED = 10;

/** High availability of a Cluster that has it, in figures. */
export function haOf(hosts: readonly Host[], vms: readonly VirtualMachine[]): NonNullable<ClusterStatus['ha']> {
  const protectedVMs = vms.filter(({ status }) => isTrue(status?.conditions, 'HAProtected')).length;
  return {
    protectedVirtualMachines: protectedVMs,
    unprotectedVirtualMachines: vms.length - protectedVMs,
    fencingReadyHosts: hosts.filter(({ status }) => isTrue(status?.conditions, 'FencingReady')).length,
  };
}

/** Whether the Cluster could act if a host died. */
export function haReady(
  cluster: Cluster,
  hosts: readonly Host[],
  findPolicy: (name: string) => HAPolicy | undefined,
): ConditionInput {
  const type = 'HAReady';
  const choice = policyOf(cluster, findPolicy);
  if (!choice.ok) return { type, status: 'False', reason: choice.reason, message: choice.message };
  if (!choice.enabled) {
    return {
      type,
      status: 'False',
      reason: 'Disabled',
      message: 'spec.ha.enabled is false: VMs of a dead host wait for it',
    };
  }
  const silent = hosts.filter(isSilent);
  if (silent.length > 0) {
    const each = silent.map(
      ({ metadata, status }) => `${metadata.name} is ${status?.availability?.state}: ${status?.availability?.message}`,
    );
    return { type, status: 'False', reason: 'HostsSilent', message: shortList(each, HOSTS_NAMED) };
  }
  if (choice.policy.hostFault.action !== 'Restart') {
    return {
      type,
      status: 'True',
      reason: choice.policy.hostFault.action,
      message: 'VMs of a dead host are not run elsewhere',
    };
  }
  const without = hosts.filter(({ status }) => !isTrue(status?.conditions, 'FencingReady'));
  if (without.length === 0) {
    return { type, status: 'True', reason: 'Ready', message: 'every host can be proven to be off if it dies' };
  }
  const each = without.map(({ metadata, status }) => {
    const why = status?.conditions.find((condition) => condition.type === 'FencingReady');
    return `${metadata.name} (${why?.reason ?? 'not asked yet'})`;
  });
  const message = `VMs of these hosts would wait for an administrator if they died: ${shortList(each, HOSTS_NAMED)}. Their condition FencingReady says why`;
  return { type, status: 'False', reason: 'FencingNotReady', message };
}
