import type { VirtualMachineStatus } from '../../api/virtual-machine.ts';
import { macAddressOf } from '../../core/virtual-machine/mac-address.ts';
import { isConfirmedOff } from '../../core/virtual-machine/next-step.ts';
import { setConditions } from '../../runtime/index.ts';
import { conditionsOf } from './conditions.ts';
import { agentStatus, phaseOf, type StatusInput } from './phase.ts';

/** The status of a VirtualMachine, computed anew in every pass. */
export function statusOf(input: StatusInput): VirtualMachineStatus {
  const { vm, instance, now } = input;
  const seen = agentStatus(instance);
  const observedGeneration = vm.metadata.generation;
  return {
    observedGeneration,
    phase: phaseOf(input),
    host: hostOf(input),
    epoch: Math.max(vm.status?.epoch ?? 0, instance?.spec.epoch ?? 0) || undefined,
    domainUUID: instance?.spec.domainUUID ?? vm.status?.domainUUID,
    startedAt: seen?.startedAt,
    restarts: seen?.restarts,
    addresses: seen?.guestTools?.connected ? seen.guestTools.addresses : undefined,
    nics: vm.spec.nics.map(({ name, mac }) => ({ name, mac: mac ?? macAddressOf(vm.metadata.uid, name) })),
    guest: seen?.guestTools?.connected ? { hostname: seen.guestTools.hostname, os: seen.guestTools.os } : undefined,
    lastFailover: lastFailover(input),
    recovery: input.recovery,
    lastFault: lastFault(input),
    conditions: [
      ...setConditions(
        conditionsBefore(input),
        conditionsOf(input).map((condition) => ({ ...condition, observedGeneration })),
        now,
      ),
    ].map((condition) => ({ ...condition, observedGeneration: condition.observedGeneration })),
  };
}

/** Without what is said only of a VM that depends on others. */
function conditionsBefore({ vm, dependencies }: StatusInput): NonNullable<VirtualMachineStatus['conditions']> {
  const conditions = vm.status?.conditions ?? [];
  return dependencies === undefined ? conditions.filter(({ type }) => type !== 'DependenciesReady') : conditions;
}

/** How it came to its host because another died; what an earlier instance said of it stays. */
function lastFailover({ vm, instance }: StatusInput): VirtualMachineStatus['lastFailover'] {
  const failover = instance?.spec.failover;
  const before = vm.status?.lastFailover;
  if (instance === undefined || failover === undefined) return before;
  const { fromHost: from, detectedAt, fencedAt, decidedAt, proof, epoch } = failover;
  const isSame = before?.decidedAt === decidedAt;
  const startedAt = instance.spec.epoch === epoch ? agentStatus(instance)?.startedAt : undefined;
  const to = instance.spec.epoch === epoch || !isSame ? instance.spec.host : before.to;
  return {
    from,
    to,
    detectedAt,
    fencedAt,
    decidedAt,
    runningAt: (isSame ? before.runningAt : undefined) ?? startedAt,
    proof,
  };
}

/** How its guest failed last; what an earlier instance said of it stays. */
function lastFault({ vm, instance }: StatusInput): VirtualMachineStatus['lastFault'] {
  const fault = agentStatus(instance)?.guestFault;
  const before = vm.status?.lastFault;
  if (instance === undefined || fault === undefined) return before;
  // One of an earlier placement was told by the host of that one.
  const isEarlier = fault.epoch < instance.spec.epoch && before?.at === fault.at;
  return { ...fault, host: isEarlier ? before.host : instance.spec.host };
}

/**
 * The host that may run a copy. It goes only with the proof that there is none: when the instance itself has gone
 * without one, the host stays, and the VM is not placed elsewhere.
 */
function hostOf({ vm, instance, step }: StatusInput): string | undefined {
  if (instance === undefined) return vm.status?.host;
  return step.step === 'ReleaseInstance' || isConfirmedOff(instance) ? undefined : instance.spec.host;
}
