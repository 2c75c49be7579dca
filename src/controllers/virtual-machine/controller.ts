import { isDeepStrictEqual } from 'node:util';
import type { Cluster } from '../../api/cluster.ts';
import type { Host } from '../../api/host.ts';
import { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { type DatastoreFaultReport, reportOf } from '../../core/ha/datastore-fault.ts';
import { awaitedBy, dependenciesVerdict } from '../../core/ha/dependencies.ts';
import { placeLost } from '../../core/ha/place-lost.ts';
import { policyOf } from '../../core/ha/policy.ts';
import { canRunElsewhere, protectedFromHostFault } from '../../core/ha/protected.ts';
import { type RecoveryInput, recoveryOf } from '../../core/ha/recovery-status.ts';
import { cpuModelOf } from '../../core/imc/cpu-model.ts';
import { migratable } from '../../core/migration/migratable.ts';
import { endOfWait } from '../../core/model/clock.ts';
import { isSilent } from '../../core/model/read-host.ts';
import { YES } from '../../core/model/verdict.ts';
import { summarizeRefusal } from '../../core/placement/explain.ts';
import { isOrphan, nextStep, type Step, type VirtualMachineInput } from '../../core/virtual-machine/next-step.ts';
import { type Change, KubeError, keyOf, type ObjectKey } from '../../kube/index.ts';
import {
  Controller,
  done,
  findCondition,
  type ReconcileContext,
  type Result,
  requeueAfter,
  soonest,
  source,
  toCodedError,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { dependenciesIn } from '../ha/dependencies.ts';
import { BY_DEPENDENCY, BY_HOST, BY_PORT_GROUP, BY_VOLUME } from '../informers.ts';
import { writeStatus } from '../write-status.ts';
import { createInstance, createVolumes, releaseInstance, updateInstance } from './apply.ts';
import { brokenRules, otherwiseBound, otherwiseViolating } from './broken-rules.ts';
import { gather } from './gather.ts';
import { statusOf } from './status.ts';
import { unplaced } from './unplaced.ts';

/**
 * How long a fresh placement may stay without a status of its VM: a domain usually runs within a second or two, on a host
 * that is busy with many within half a minute, and one write then says all. The agent waits as long before it says that a start takes its time.
 */
const SETTLE_MS = 30_000;
/** How long until a VM that fits nowhere is tried again when nothing has changed that it could be seen by. */
const RETRY_PLACEMENT_MS = 30_000;

/** Keeps one instance for each VirtualMachine that shall exist on a host, and says in its status what became of it. */
export function virtualMachineController(deps: ControllerDependencies): Controller {
  const { informers } = deps;
  return new Controller({
    name: 'virtualmachine',
    concurrency: 16,
    sources: [
      source(informers.virtualMachines),
      source(informers.instances),
      source(informers.instances, (change) => (isOtherReadiness(change) ? dependentsOf(change.key, deps) : [])),
      source(informers.virtualMachines, (change) => (isOtherNeed(change) ? dependentsOf(change.key, deps) : [])),
      source(informers.volumes, ({ key }) => informers.virtualMachines.byIndex(BY_VOLUME, key).map(keyOf)),
      source(informers.portGroups, ({ key }) => informers.virtualMachines.byIndex(BY_PORT_GROUP, key).map(keyOf)),
      source(informers.clusters, (change) =>
        isOtherBaseline(change) || isOtherHA(change) ? informers.virtualMachines.keys() : unplaced(informers),
      ),
      source(informers.haPolicies, () => informers.virtualMachines.keys()),
      source(informers.datastores, () => unplaced(informers)),
      source(informers.ruleGroups, (change) => [
        ...unplaced(informers),
        ...otherwiseViolating(change),
        ...otherwiseBound(change),
      ]),
      source(informers.hosts, (change) => [
        ...unplaced(informers),
        ...(isOtherReach(change) ? informers.instances.keys() : instancesOn(change.key, deps)),
      ]),
    ],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(key: ObjectKey, context: ReconcileContext, deps: ControllerDependencies): Promise<Result> {
  const input = gather(key, deps);
  const { vm, instance } = input;
  if (instance !== undefined && isOrphan(vm, instance) && !(await isGone(instance, context, deps))) return done;
  const step = nextStep(input);
  try {
    const result = await carryOut(step, input, context, deps);
    return result ?? (await report(step, input, context, deps));
  } catch (error) {
    const { code, message, treatment } = toCodedError(error);
    // What passes by itself is not worth a write; what the user must mend has to be seen.
    if (treatment.class !== 'transient') {
      await report({ step: 'WaitFor', missing: [{ reason: code, message }] }, input, context, deps);
    }
    throw error;
  }
}

/**
 * Whether the VM of an instance is really gone. The cache alone is not believed: what follows stops a guest.
 */
async function isGone(
  instance: VirtualMachineInstance,
  { signal }: ReconcileContext,
  { client }: ControllerDependencies,
): Promise<boolean> {
  try {
    const vm = await client.get(VirtualMachine, instance.metadata, { signal });
    return isOrphan(vm, instance);
  } catch (error) {
    if (error instanceof KubeError && error.isNotFound()) return true;
    throw error;
  }
}

/** Does the step. A result ends the pass: the status follows when the cache shows what was done. */
async function carryOut(
  step: Step,
  input: VirtualMachineInput,
  context: ReconcileContext,
  deps: ControllerDependencies,
): Promise<Result | undefined> {
  const { vm } = input;
  switch (step.step) {
    case 'CreateVolumes':
      if (vm !== undefined) await createVolumes(vm, step, deps, context);
      return done;
    case 'CreateInstance':
      if (vm === undefined) return done;
      if (deps.reservations.isOnItsWay(keyOf(vm))) return requeueAfter(1_000, 'its instance is not in the cache yet');
      await createInstance(vm, step, deps, context);
      return requeueAfter(SETTLE_MS, 'the domain is being started');
    case 'UpdateInstance':
      await updateInstance(vm, step, deps, context);
      return undefined;
    case 'ReleaseInstance':
      // The status must not name the host any longer before the instance goes: without instance, a host in the status
      // means that a copy may run there. It must name the epoch before, since epochs never start again.
      if (vm !== undefined && !isOrphan(vm, step.instance) && !isToldOf(vm, step.instance)) return undefined;
      await releaseInstance(step, deps, context);
      return undefined;
    case 'Nothing':
    case 'Unschedulable':
    case 'WaitFor':
      return undefined;
  }
}

/** Whether the status names no host any more, and an epoch that is not older than that of the placement. */
function isToldOf({ status }: VirtualMachine, { spec }: VirtualMachineInstance): boolean {
  return status?.host === undefined && (status?.epoch ?? 0) >= spec.epoch;
}

async function report(
  decided: Step,
  input: VirtualMachineInput,
  { signal, clock }: ReconcileContext,
  deps: ControllerDependencies,
): Promise<Result> {
  const { vm, instance: found } = input;
  if (vm === undefined) return done;
  // What a deleted VM of the same name has left is not this one's: its host least of all.
  const isOwn = found === undefined || found.spec.virtualMachineUID === vm.metadata.uid;
  const instance = isOwn ? found : undefined;
  const step = isOwn ? decided : waitForPredecessor(found);
  const now = clock.now();
  const settleMs = instance === undefined ? 0 : settlingMs(instance, now);
  if (settleMs > 0) return requeueAfter(settleMs, 'the domain is being started');
  const outOfDate = instance === undefined ? undefined : outOfDateBecause(instance, deps);
  const recovery = instance && recoveryOf(recoveryInput(vm, instance, input, now, deps));
  const fault = instance && reportFault(vm, instance, input, now);
  const status = statusOf({
    vm,
    instance,
    step,
    migratable: () => (instance === undefined ? YES : migratable(mobilityOf(input, deps), instance)),
    protectedFromHostFault: () =>
      instance === undefined ? YES : protectedFromHostFault({ ...protectionOf(input, instance, deps), vm, instance }),
    recovery,
    dependencies: dependenciesVerdict(vm, dependenciesIn(vm.metadata.namespace, deps.informers)),
    datastoreFault: fault,
    brokenRules: instance === undefined ? [] : brokenRules(keyOf(vm), input.inventory, deps),
    outOfDate,
    now,
  });
  const written = await writeStatus(deps.client, VirtualMachine, vm, status, {
    fieldManager: FIELD_MANAGERS.virtualMachine,
    signal,
    // Without an instance the host in the status is all that is known of where a copy may run: an older one must not be written over it.
    ifUnchanged: instance === undefined,
  });
  if (fault !== undefined) tellFault(vm, fault, deps);
  const later =
    fault?.untilMs === undefined
      ? done
      : requeueAfter(Math.max(0, fault.untilMs - now.getTime()), 'its host may confirm');
  // What it waits for may change without a sign that is seen here.
  if (recovery !== undefined) return soonest([requeueAfter(RETRY_PLACEMENT_MS, 'it waits to run elsewhere'), later]);
  if (step.step !== 'Unschedulable') return later;
  if (written) {
    const note = summarizeRefusal(step.placement);
    deps.events.record({ regarding: vm, type: 'Warning', reason: 'NoHostFits', action: 'Placing', note });
  }
  return requeueAfter(RETRY_PLACEMENT_MS, 'no host fits');
}

/** What is told of a datastore that the VM's host has lost. */
function reportFault(
  vm: VirtualMachine,
  instance: VirtualMachineInstance,
  input: VirtualMachineInput,
  now: Date,
): DatastoreFaultReport | undefined {
  const { datastoreFault: fault } = input;
  if (fault === undefined) return undefined;
  const others = input.inventory.hosts.filter(({ name }) => name !== instance.spec.host);
  const isSeen = others.some(({ datastores }) => datastores.has(fault.datastore));
  const refusal = canRunElsewhere({ virtualMachine: input, vm, instance });
  const elsewhere = { isSeen, refusal: refusal?.ok === false ? refusal.message : undefined };
  return reportOf(fault, instance, elsewhere, now.getTime());
}

/** Once, when it is found: what has to be mended by hand. */
function tellFault(
  vm: VirtualMachine,
  { reason, message }: DatastoreFaultReport,
  { events }: ControllerDependencies,
): void {
  if (reason !== 'NotStopped' && reason !== 'DatastoreFailed' && reason !== 'NoHostFits') return;
  const before = findCondition(vm.status?.conditions, 'StorageReachable');
  if (before?.reason === reason) return;
  events.record({ regarding: vm, type: 'Warning', reason, action: 'Waiting', note: message });
}

function waitForPredecessor({ spec }: VirtualMachineInstance): Step {
  const message = `an earlier VirtualMachine of this name is still being stopped on host ${spec.host}`;
  return { step: 'WaitFor', missing: [{ reason: 'PredecessorTerminating', message }] };
}

/** Time that a new instance has left to start before its VM's status is written without it, in milliseconds. */
function settlingMs({ metadata, status }: VirtualMachineInstance, now: Date): number {
  // That its host is about to start it is no news.
  if (status !== undefined && status.phase !== 'Starting') return 0;
  return endOfWait(Date.parse(metadata.creationTimestamp), SETTLE_MS, now.getTime()) - now.getTime();
}

/** Why what the host last said of the instance says nothing about now. Absent: it does. */
function outOfDateBecause(
  { spec, status }: VirtualMachineInstance,
  { informers }: ControllerDependencies,
): string | undefined {
  const host = informers.hosts.get(spec.host);
  if (host === undefined) return `the Host object of its host ${spec.host} is gone`;
  if (isSilent(host)) {
    const { state, message } = host.status?.availability ?? {};
    return `host ${spec.host} is ${state}: ${message}`;
  }
  const ready = findCondition(host.status?.conditions, 'Ready');
  if (ready?.status === 'Unknown') return `host ${spec.host} does not answer: ${ready.message}`;
  // Right after a migration it is still the old host that has told.
  const [told, now] = [status?.host === spec.host ? status.bootID : undefined, host.status?.bootID];
  if (told === undefined || now === undefined || told === now) return undefined;
  return `host ${spec.host} has booted since it told of the VM, and has not looked for it yet`;
}

/** Whether VMs that are placed are to get another CPU model at their next power cycle. */
function isOtherBaseline(change: Change<Cluster>): boolean {
  if (change.type !== 'updated') return false;
  const modelOf = (cluster: Cluster) => {
    const choice = cpuModelOf(cluster);
    return choice.ok ? choice.model : null;
  };
  return modelOf(change.object) !== modelOf(change.previous);
}

/** Whether VMs are protected otherwise than before. */
function isOtherHA(change: Change<Cluster>): boolean {
  return change.type === 'updated' && !isDeepStrictEqual(change.object.spec.ha, change.previous.spec.ha);
}

function protectionOf(
  virtualMachine: VirtualMachineInput,
  { spec }: VirtualMachineInstance,
  deps: ControllerDependencies,
) {
  const { informers } = deps;
  const { cluster } = mobilityOf(virtualMachine, deps);
  const choice = policyOf(cluster, (name) => informers.haPolicies.get(name));
  return { virtualMachine, choice, host: informers.hosts.get(spec.host) };
}

function recoveryInput(
  vm: VirtualMachine,
  instance: VirtualMachineInstance,
  input: VirtualMachineInput,
  now: Date,
  deps: ControllerDependencies,
): RecoveryInput {
  const { choice, host } = protectionOf(input, instance, deps);
  const { fence, detectedAt } = host?.status?.availability ?? {};
  const since = instance.spec.failover?.epoch === instance.spec.epoch ? instance.spec.failover : undefined;
  const sinceMs = Date.parse(since?.fencedAt ?? fence?.confirmedAt ?? detectedAt ?? '') || 0;
  const find = dependenciesIn(vm.metadata.namespace, deps.informers);
  return {
    vm,
    instance,
    isProvenOff: input.isProvenOff,
    policy: choice.ok && choice.enabled ? choice.policy : undefined,
    awaited: vm.spec.ha.dependsOn.length === 0 ? [] : awaitedBy(vm, find, sinceMs, now.getTime()),
    place: (failed) => placeLost(vm, instance, input, failed),
    nowMs: now.getTime(),
  };
}

function mobilityOf(virtualMachine: VirtualMachineInput, { informers }: ControllerDependencies) {
  const { cluster } = virtualMachine;
  return {
    virtualMachine,
    cluster: cluster.ok ? informers.clusters.get(cluster.cluster) : undefined,
    findHost: (host: string) => informers.hosts.get(host),
  };
}

/**
 * Whether a host has gone, or has become one that could, or could not, take VMs of other hosts. A new one has told nothing yet;
 * and at the start of the operator, when all are new, all VMs are looked at anyway.
 */
function isOtherReach(change: Change<Host>): boolean {
  if (change.type !== 'updated') return change.type === 'deleted';
  const reachOf = ({ metadata, status }: Host) => [
    metadata.labels,
    status?.virtualization,
    status?.cpu,
    status?.capacity?.cpuCores,
    status?.datastores.map(({ name, available, id }) => [name, available, id]),
    status?.switches.map(({ name, available }) => [name, available]),
    findCondition(status?.conditions, 'MigrationReady')?.status,
  ];
  return JSON.stringify(reachOf(change.object)) !== JSON.stringify(reachOf(change.previous));
}

function instancesOn(host: string, { informers }: ControllerDependencies): ObjectKey[] {
  return informers.instances.byIndex(BY_HOST, host).map(keyOf);
}

/** VMs that depend on one, themselves or by another one. */
function dependentsOf(key: ObjectKey, { informers }: ControllerDependencies): ObjectKey[] {
  const found = new Set(informers.virtualMachines.byIndex(BY_DEPENDENCY, key).map(keyOf));
  // A circle shows in the conditions of all that are in it.
  for (const each of found)
    for (const vm of informers.virtualMachines.byIndex(BY_DEPENDENCY, each)) found.add(keyOf(vm));
  return [...found];
}

/** Whether those that depend on a VM are to be looked at because of what its instance says now. */
function isOtherReadiness(change: Change<VirtualMachineInstance>): boolean {
  if (change.type !== 'updated') return true;
  const readinessOf = ({ spec, status }: VirtualMachineInstance) =>
    [spec.epoch, spec.host, status?.observedEpoch, status?.phase, status?.guestTools?.connected].join();
  return readinessOf(change.object) !== readinessOf(change.previous);
}

/** The same because of what its spec says. */
function isOtherNeed(change: Change<VirtualMachine>): boolean {
  if (change.type !== 'updated') return true;
  const needOf = ({ metadata, spec }: VirtualMachine) => [spec.ha, spec.runStrategy, metadata.deletionTimestamp];
  return !isDeepStrictEqual(needOf(change.object), needOf(change.previous));
}
