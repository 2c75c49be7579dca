import { PLACEMENT_ANNOTATION } from '../../api/common/names.ts';
import type { Host } from '../../api/host.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import { VirtualMachineInstance, type VirtualMachineInstanceSpec } from '../../api/virtual-machine-instance.ts';
import { failoverHostsOf } from '../../core/ha/admission.ts';
import {
  type DatastoreFault,
  type DatastoreFaultStep,
  datastoreFaultStep,
  hasLostDatastore,
} from '../../core/ha/datastore-fault.ts';
import { policyOf } from '../../core/ha/policy.ts';
import { type Proof, proofFor, shouldRun } from '../../core/ha/proof.ts';
import { type LostVirtualMachine, planRestarts, type Restart } from '../../core/ha/restart-plan.ts';
import { isSilent } from '../../core/model/read-host.ts';
import { explainPlacement } from '../../core/placement/explain.ts';
import { instanceSpec } from '../../core/virtual-machine/instance-spec.ts';
import { stoppedForDatastore, wishOf } from '../../core/virtual-machine/next-step.ts';
import type { ResolvedDevices } from '../../core/virtual-machine/resolve.ts';
import { KubeError, keyOf, type ObjectKey } from '../../kube/index.ts';
import {
  Controller,
  done,
  type ReconcileContext,
  type Result,
  requeueAfter,
  soonest,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_HOST } from '../informers.ts';
import { sealUserData } from '../virtual-machine/apply.ts';
import { gather } from '../virtual-machine/gather.ts';
import { changedInstance } from '../virtual-machine/instance.ts';
import { SteadyLosses } from './steady-losses.ts';

/** How soon VMs that found no host are looked at again, although nothing has changed that it could be seen by. */
const AGAIN_MS = 10_000;

/** A VM of which nothing runs any more, with all that its new placement needs. */
interface Lost extends LostVirtualMachine {
  readonly vm: VirtualMachine;
  readonly instance: VirtualMachineInstance;
  readonly devices: ResolvedDevices;
  readonly proof: Proof;
}

/** Gives VMs of dead hosts, and of hosts that have lost a datastore, other hosts, one Cluster at a time: which VM comes first is decided over all of them. */
export function failoverController(deps: ControllerDependencies): Controller {
  const { clusters, haPolicies, hosts, instances } = deps.informers;
  const clusterOfHost = (host: string) => {
    const cluster = deps.inventories.clusterOf(host);
    return cluster === undefined ? [] : [cluster];
  };
  const losses = new SteadyLosses(deps.clock);
  return new Controller({
    name: 'failover',
    sources: [
      source(clusters),
      source(haPolicies, () => clusters.keys()),
      source(hosts, ({ key }) => clusterOfHost(key)),
      // Those that wait, those that have just been given a host, and those that this one has started.
      source(instances, ({ object: { spec } }) => {
        const host = hosts.get(spec.host);
        const isAway = host !== undefined && (isSilent(host) || hasLostDatastore(host));
        const isConcerned = isAway || spec.failover?.epoch === spec.epoch;
        return isConcerned ? clusterOfHost(spec.host) : [];
      }),
    ],
    reconcile: (key, context) => reconcile(key, context, losses, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  context: ReconcileContext,
  losses: SteadyLosses,
  deps: ControllerDependencies,
): Promise<Result> {
  const { informers, inventories } = deps;
  const choice = policyOf(informers.clusters.get(key), (name) => informers.haPolicies.get(name));
  if (!choice.ok || !choice.enabled) return done;
  const { hostFault, restart } = choice.policy;
  const ofCluster = informers.hosts.list().filter(({ metadata }) => inventories.clusterOf(metadata.name) === key);
  const lost = ofCluster
    .filter((host) => isSilent(host) || hasLostDatastore(host))
    .flatMap((host) => lostOn(host, deps))
    .filter(({ proof }) => proof.method === 'HostConfirmed' || hostFault.action === 'Restart');
  const { toStop, nextAtMs } = toStopIn(ofCluster, context.clock.now().getTime(), losses, deps);
  const later = nextAtMs === undefined ? done : dueAt(nextAtMs, context);
  if (lost.length === 0 && toStop.length === 0) return later;
  const { restarts, waiting, unplaceable } = planRestarts({
    lost: [...lost, ...toStop],
    inventory: inventories.of(key),
    starting: startingOn(ofCluster, deps),
    maxConcurrentPerHost: restart.maxConcurrentPerHost,
    failoverHosts: failoverHostsOf(inventories.reserves.reserveOf(key)),
  });
  context.log.info(
    { restarts: restarts.length, waiting: waiting.length, unplaceable: unplaceable.length },
    'VMs of dead hosts, and of hosts that have lost a datastore, are given others',
  );
  const byKey = new Map(lost.map((each) => [each.request.virtualMachine, each]));
  // None is stopped for nothing: another host must have room for it.
  const placeable = new Set(
    [...restarts.map((each) => each.lost), ...waiting].map((each) => each.request.virtualMachine),
  );
  const outcomes = await Promise.allSettled([
    ...restarts.map(async (each) => {
      const found = byKey.get(each.lost.request.virtualMachine);
      if (found !== undefined) await give(found, each, deps, context);
    }),
    ...toStop
      .filter(({ request }) => placeable.has(request.virtualMachine))
      .map((each) => stopForDatastore(each, deps, context)),
  ]);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return soonest([requeueAfter(AGAIN_MS, 'VMs wait for other hosts'), later]);
}

function dueAt(atMs: number, { clock }: ReconcileContext): Result {
  return requeueAfter(Math.max(0, atMs - clock.now().getTime()), 'a lost datastore may come back until then');
}

/** VMs that are to be stopped where they are now, and when the next one would be. */
function toStopIn(hosts: readonly Host[], nowMs: number, losses: SteadyLosses, deps: ControllerDependencies) {
  const all = deps.informers.hosts.list();
  const steps = hosts.filter(hasLostDatastore).flatMap((host) =>
    deps.informers.instances.byIndex(BY_HOST, host.metadata.name).flatMap((instance) => {
      const input = gather(keyOf(instance), deps);
      const { vm } = input;
      if (vm === undefined || input.datastoreFault === undefined) return [];
      const step = datastoreFaultStep(input.datastoreFault, vm, instance, host, nowMs);
      const waitMs = losses.waitMs(input.datastoreFault.datastore, all);
      const steady: DatastoreFaultStep =
        step.step === 'Stop' && waitMs > 0 ? { step: 'WaitUntil', atMs: nowMs + waitMs } : step;
      return [{ vm, instance, input, ...steady }];
    }),
  );
  const toStop = steps.flatMap((each) => {
    if (each.step !== 'Stop') return [];
    const { vm, instance, input, fault } = each;
    const wish = wishOf(vm, input);
    if (!wish.ok) return [];
    const request = { ...wish.request, onlyHost: undefined };
    return [{ request, fromHost: instance.spec.host, priority: vm.spec.ha.restartPriority, vm, instance, fault }];
  });
  const waits = steps.flatMap((each) => (each.step === 'WaitUntil' ? [each.atMs] : []));
  return { toStop, nextAtMs: waits.length === 0 ? undefined : Math.min(...waits) };
}

/** VMs of a host of which it is proven that nothing runs there any more, and which are to run. */
function lostOn(host: Host, deps: ControllerDependencies): Lost[] {
  return deps.informers.instances.byIndex(BY_HOST, host.metadata.name).flatMap((instance) => {
    const key = keyOf(instance);
    const proof = proofFor(instance, host);
    const input = gather(key, deps);
    // What was decided a moment ago, the cache does not show yet.
    const isDecided = (deps.reservations.placementOf(key)?.epoch ?? 0) > instance.spec.epoch;
    if (proof === undefined || isDecided || !shouldRun(input.vm, instance)) return [];
    // It goes on where it was: the datastore is back.
    if (proof.method === 'HostConfirmed' && input.datastoreFault?.moveAtMs === undefined) return [];
    const { vm } = input;
    const wish = wishOf(vm, input);
    if (!wish.ok) return [];
    const { devices } = wish;
    const request = { ...wish.request, onlyHost: undefined };
    return [
      { request, fromHost: host.metadata.name, priority: vm.spec.ha.restartPriority, vm, instance, devices, proof },
    ];
  });
}

/** VMs that hosts have been given because others died, and do not run yet. */
function startingOn(hosts: readonly Host[], { informers }: ControllerDependencies): ReadonlyMap<string, number> {
  return new Map(
    hosts.map(({ metadata: { name } }) => {
      const starting = informers.instances.byIndex(BY_HOST, name).filter(({ spec, status }) => {
        const isNew = spec.failover?.epoch === spec.epoch;
        const isBegun = status?.observedEpoch === spec.epoch && status.phase !== 'Starting';
        return isNew && !isBegun;
      });
      return [name, starting.length];
    }),
  );
}

/** Writes the new placement, unless anybody has changed the instance since the proof was compared with it. */
async function give(
  { vm, instance, devices, proof, fromHost, request }: Lost,
  { host, placement }: Restart,
  deps: ControllerDependencies,
  { signal, log, clock }: ReconcileContext,
): Promise<void> {
  const key = keyOf(instance);
  const epoch = Math.max(instance.spec.epoch, vm.status?.epoch ?? 0) + 1;
  const failover: VirtualMachineInstanceSpec['failover'] = {
    fromHost,
    ...(proof.bootID !== undefined && { bootID: proof.bootID }),
    proof: proof.method,
    detectedAt: proof.detectedAt,
    ...(proof.fencedAt !== undefined && { fencedAt: proof.fencedAt }),
    decidedAt: clock.now().toISOString(),
    epoch,
  };
  const sealed = await sealUserData(vm, host, deps, signal);
  const bootID = deps.informers.hosts.get(host)?.status?.bootID;
  const assignment = { host, epoch, bootID, cpuModel: request.cpuModel };
  const spec = { ...instanceSpec(vm, devices, assignment, sealed), failover };
  const explanation = explainPlacement(placement);
  const annotations = { ...instance.metadata.annotations, [PLACEMENT_ANNOTATION]: explanation };
  const changed = changedInstance({ ...instance, metadata: { ...instance.metadata, annotations } }, spec);
  deps.reservations.assume(key, spec, instance.metadata.generation + 1);
  try {
    await deps.client.update(VirtualMachineInstance, changed, { signal });
  } catch (error) {
    // An older placement would be ignored beside a newer one, and the VM taken for decided for ever.
    deps.reservations.forget(key);
    deps.reservations.assume(key, instance.spec, instance.metadata.generation);
    if (error instanceof KubeError && error.isConflict()) {
      log.info({ virtualMachine: key }, 'the instance has changed meanwhile; it is looked at anew');
      return;
    }
    throw error;
  }
  const why = whyLeft(proof, fromHost, instance);
  log.warn({ virtualMachine: key, from: fromHost, to: host, epoch, proof, explanation }, 'failed over');
  const note = `the VM is started on host ${host} (epoch ${epoch}): ${why}\n${explanation}`;
  deps.events.record({ regarding: vm, type: 'Warning', reason: 'FailedOver', action: 'FailingOver', note });
}

function whyLeft({ method, bootID }: Proof, host: string, { spec }: VirtualMachineInstance): string {
  if (method === 'HostConfirmed') {
    return `host ${host} has lost Datastore ${spec.datastoreFault?.datastoreName}, and has confirmed that it has stopped the VM`;
  }
  if (bootID === undefined) return `host ${host} is dead, and had never begun to start it`;
  return `host ${host} is dead: ${method} proved that its boot ${bootID} is over`;
}

/** Tells the host to end the domain. It is started elsewhere only when the host has confirmed that. */
async function stopForDatastore(
  {
    vm,
    instance,
    fault,
  }: { readonly vm: VirtualMachine; readonly instance: VirtualMachineInstance; readonly fault: DatastoreFault },
  deps: ControllerDependencies,
  { signal, log, clock }: ReconcileContext,
): Promise<void> {
  const { datastore: datastoreName, reason, since: detectedAt } = fault;
  const { host } = instance.spec;
  const decidedAt = clock.now().toISOString();
  const spec = stoppedForDatastore(instance.spec, { datastoreName, reason, detectedAt, decidedAt });
  try {
    await deps.client.update(VirtualMachineInstance, changedInstance(instance, spec), { signal });
  } catch (error) {
    if (!(error instanceof KubeError && error.isConflict())) throw error;
    log.info({ virtualMachine: keyOf(instance) }, 'the instance has changed meanwhile; it is looked at anew');
    return;
  }
  log.warn(
    { virtualMachine: keyOf(instance), host, datastoreName, reason, detectedAt },
    'stopped for a lost datastore',
  );
  const note = `host ${host} has lost Datastore ${datastoreName} (${reason}, since ${detectedAt}): the VM is stopped there, and started on another host when it is off`;
  deps.events.record({ regarding: vm, type: 'Warning', reason: 'DatastoreLost', action: 'Stopping', note });
}
