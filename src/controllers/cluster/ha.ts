import type { Cluster, ClusterStatus } from '../../api/cluster.ts';
import type { HAPolicy } from '../../api/ha-policy.ts';
import type { Host } from '../../api/host.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import { figuresInWords, reserveFigures, reserveInWords } from '../../core/ha/admission.ts';
import { agreement } from '../../core/ha/contradictions.ts';
import { type PolicyChoice, policyOf } from '../../core/ha/policy.ts';
import { limitInWords } from '../../core/ha/what-if.ts';
import { isSilent } from '../../core/model/read-host.ts';
import { shortList } from '../../core/model/short-list.ts';
import { type ConditionInput, isTrue } from '../../runtime/index.ts';
import type { FailoverReserves } from '../inventory/failover-reserves.ts';

/** Hosts that the condition names. */
const HOSTS_NAMED = 10;

/** Room for failovers, as the Cluster's status tells it. */
export interface CapacityReport {
  /** Part of `status.ha`. */
  readonly figures: Pick<NonNullable<ClusterStatus['ha']>, 'failuresTolerated' | 'reserve'>;
  readonly condition: ConditionInput;
}

/** Whether the room that admission control is to keep is there. */
export function capacityOf(cluster: Cluster, reserves: FailoverReserves): CapacityReport {
  const type = 'FailoverCapacity';
  const { name } = cluster.metadata;
  const choice = reserves.choiceOf(cluster);
  if (!cluster.spec.ha.enabled || (choice.ok && !restartsElsewhere(choice))) {
    const message = 'VMs of dead hosts are not run elsewhere, so that no room is kept for them';
    return { figures: {}, condition: { type, status: 'True', reason: 'NotAskedFor', message } };
  }
  const reserve = reserves.reserveOf(name);
  const tolerance = reserves.toleranceOf(name);
  const kept = reserveFigures(reserve, reserves.fleetOf(name, reserve));
  const figures = {
    failuresTolerated: tolerance.hosts,
    ...(kept && {
      reserve: {
        cpuCores: kept.kept.cpuCores,
        memoryBytes: kept.kept.memoryBytes,
        freeCores: Math.round(kept.free.cpuCores * 1000) / 1000,
        freeMemoryBytes: kept.free.memoryBytes,
      },
    }),
  };
  const next = tolerance.ok ? '' : `; ${limitInWords(tolerance.limit)}`;
  const now = `${tolerance.hosts} ${tolerance.hosts === 1 ? 'host' : 'hosts'} may fail${next}`;
  if (reserve.type === 'Disabled') {
    return { figures, condition: { type, status: 'True', reason: 'Disabled', message: `nothing is kept: ${now}` } };
  }
  const words = `${reserveInWords(reserve)} (${kept === undefined ? '' : figuresInWords(kept)})`;
  const limit = reserves.of(name)?.limit;
  if (limit !== undefined) {
    const message = `room is to be kept for ${words}, but ${limitInWords(limit)}. Until then no further VM is started: add hosts, halt VMs, or change spec.ha.admissionControl`;
    return { figures, condition: { type, status: 'False', reason: 'NotEnough', message } };
  }
  if (reserve.type === 'FailoverHosts' && !tolerance.ok && tolerance.hosts === 0) {
    const message = `${words}, but ${limitInWords(tolerance.limit)}`;
    return { figures, condition: { type, status: 'False', reason: 'NotEnough', message } };
  }
  const message = `room is kept for ${words}: ${now}`;
  return { figures, condition: { type, status: 'True', reason: 'Kept', message } };
}

function restartsElsewhere(choice: PolicyChoice): boolean {
  return choice.ok && choice.enabled && choice.policy.hostFault.action === 'Restart';
}

/** High availability of a Cluster that has it, in figures. */
export function haOf(
  hosts: readonly Host[],
  vms: readonly VirtualMachine[],
  { figures }: CapacityReport,
): NonNullable<ClusterStatus['ha']> {
  const protectedVMs = vms.filter(({ status }) => isTrue(status?.conditions, 'HAProtected')).length;
  return {
    protectedVirtualMachines: protectedVMs,
    unprotectedVirtualMachines: vms.length - protectedVMs,
    fencingReadyHosts: hosts.filter(({ status }) => isTrue(status?.conditions, 'FencingReady')).length,
    ...figures,
  };
}

/** Whether the Cluster could act if a host died. */
export function haReady(
  cluster: Cluster,
  hosts: readonly Host[],
  findPolicy: (name: string) => HAPolicy | undefined,
  hasSharedDatastore: boolean,
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
  const silent = hosts.filter((host) => isSilent(host) && host.status?.availability?.state !== 'Standby');
  if (silent.length > 0) {
    const each = silent.map(
      ({ metadata, status }) => `${metadata.name} is ${status?.availability?.state}: ${status?.availability?.message}`,
    );
    return { type, status: 'False', reason: 'HostsSilent', message: shortList(each, HOSTS_NAMED) };
  }
  const { policy } = choice;
  const names = hosts.map(({ metadata }) => metadata.name);
  const agreed = agreement({ cluster, policy, hosts: names, hasSharedDatastore });
  if (!agreed.ok) return { type, status: 'False', reason: agreed.reason, message: agreed.message };
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
