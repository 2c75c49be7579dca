import { PLACEMENT_ANNOTATION } from '../../api/common/names.ts';
import { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { failoverHostsOf } from '../../core/ha/admission.ts';
import { hasLostDatastore } from '../../core/ha/datastore-fault.ts';
import { DEFAULT_POLICY, policyOf } from '../../core/ha/policy.ts';
import { isOfFailover, triedInWords } from '../../core/ha/recovery.ts';
import { planRestarts, planStops, type Restart } from '../../core/ha/restart-plan.ts';
import { isSilent } from '../../core/model/read-host.ts';
import { explainPlacement } from '../../core/placement/explain.ts';
import { instanceSpec } from '../../core/virtual-machine/instance-spec.ts';
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
import { changedInstance } from '../virtual-machine/instance.ts';
import { type Failed, type Lost, type Recoveries, recoveriesIn } from './recoveries.ts';
import { SteadyLosses } from './steady-losses.ts';
import { NONE_TO_STOP, stopForDatastore, toStopIn } from './stop-for-datastore.ts';
import { readPower } from './watch.ts';

/** How soon VMs that found no host are looked at again, although nothing has changed that it could be seen by. */
const AGAIN_MS = 10_000;

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
        const isConcerned = isAway || isOfFailover(spec);
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
  const policy = choice.ok && choice.enabled ? choice.policy : undefined;
  const now = context.clock.now();
  // A VM that was taken back from its host is given another one also when nobody wants high availability any more: it is to run.
  const recoveries = recoveriesIn({
    cluster: key,
    policy: policy ?? DEFAULT_POLICY,
    restarts: policy?.hostFault.action === 'Restart',
    now,
    deps,
  });
  const { lost, failed, givenUp, takenBack, dueMs } = recoveries;
  const { maxAttempts, maxConcurrentPerHost } = (policy ?? DEFAULT_POLICY).restart;
  const { toStop, nextAtMs } = policy === undefined ? NONE_TO_STOP : toStopIn(key, now.getTime(), losses, deps);
  const input = {
    lost,
    inventory: inventories.of(key),
    starting: lost.length + toStop.length === 0 ? new Map() : startingOn(key, deps),
    maxConcurrentPerHost,
    failoverHosts: failoverHostsOf(inventories.reserves.reserveOf(key)),
  };
  const plan = planRestarts(input);
  const { restarts, waiting, unplaceable } = plan;
  if (lost.length + toStop.length > 0) {
    context.log.info(
      { restarts: restarts.length, waiting: waiting.length, unplaceable: unplaceable.length },
      'VMs of dead hosts, and of hosts that have lost a datastore, are given others',
    );
  }
  const byKey = new Map(lost.map((each) => [each.request.virtualMachine, each]));
  // None is stopped for nothing: another host must have room for it.
  const placeable = toStop.length === 0 ? new Set<string>() : planStops(toStop, input, plan);
  const outcomes = await Promise.allSettled([
    ...restarts.map(async (restart) => {
      const each = byKey.get(restart.lost.request.virtualMachine);
      if (each !== undefined) await give(each, restart, deps, context);
    }),
    ...failed.map(async (each) => await takeBack(each, maxAttempts, deps, context)),
    ...givenUp.map(async (each) => await giveUp(each, deps, context)),
    ...toStop
      .filter(({ request }) => placeable.has(request.virtualMachine))
      .map(async (each) => await stopForDatastore(each, deps, context)),
  ]);
  const rejected = outcomes.find((outcome) => outcome.status === 'rejected');
  if (rejected !== undefined) throw rejected.reason;
  const againMs = Math.max(1, Math.min(dueMs === undefined ? AGAIN_MS : dueMs - now.getTime(), AGAIN_MS));
  const isWaiting = lost.length + takenBack + toStop.length > 0 || dueMs !== undefined;
  return soonest([
    isWaiting ? requeueAfter(againMs, 'VMs wait for other hosts') : done,
    nextAtMs === undefined
      ? done
      : requeueAfter(Math.max(0, nextAtMs - now.getTime()), 'a lost datastore may come back until then'),
  ]);
}

async function isOffNow(name: string, deps: ControllerDependencies, signal: AbortSignal): Promise<boolean> {
  const host = deps.informers.hosts.get(name);
  const power = host && (await readPower(host, deps, signal));
  return power?.kind === 'Read' && power.state === 'Off';
}

/** VMs that hosts have been given because others died, and do not run yet. */
function startingOn(
  cluster: ObjectKey,
  { informers, inventories }: ControllerDependencies,
): ReadonlyMap<string, number> {
  const hosts = informers.hosts.list().filter(({ metadata }) => inventories.clusterOf(metadata.name) === cluster);
  return new Map(
    hosts.map(({ metadata: { name } }) => {
      const starting = informers.instances.byIndex(BY_HOST, name).filter(({ spec, status }) => {
        const isBegun = status?.observedEpoch === spec.epoch && status.phase !== 'Starting';
        return isOfFailover(spec) && !isBegun;
      });
      return [name, starting.length];
    }),
  );
}

/** Writes the new placement, unless anybody has changed the instance since it was looked at. */
async function give(
  { vm, instance, devices, vmFault, cause, why, request, needsReading }: Lost,
  { host, placement }: Restart,
  deps: ControllerDependencies,
  context: ReconcileContext,
): Promise<void> {
  const { signal, log, clock } = context;
  const key = keyOf(instance);
  if (needsReading && !(await isOffNow(instance.spec.host, deps, signal))) {
    log.warn(
      { virtualMachine: key, host: instance.spec.host },
      'it came by a migration, and its BMC does not read that it is off',
    );
    return;
  }
  const epoch = Math.max(instance.spec.epoch, vm.status?.epoch ?? 0) + 1;
  const failover = { ...cause, decidedAt: clock.now().toISOString(), epoch };
  const sealed = await sealUserData(vm, host, deps, signal);
  const bootID = deps.informers.hosts.get(host)?.status?.bootID;
  const assignment = { host, epoch, bootID, cpuModel: request.cpuModel, vmFault, hostFault: instance.spec.hostFault };
  const spec = { ...instanceSpec(vm, devices, assignment, sealed), failover };
  const explanation = explainPlacement(placement);
  const annotations = { ...instance.metadata.annotations, [PLACEMENT_ANNOTATION]: explanation };
  const changed = changedInstance({ ...instance, metadata: { ...instance.metadata, annotations } }, spec);
  deps.reservations.assume(key, spec, instance.metadata.generation + 1);
  let isWritten = false;
  try {
    isWritten = await update(changed, deps, context);
  } finally {
    if (!isWritten) {
      // An older placement would be ignored beside a newer one, and the VM taken for decided for ever.
      deps.reservations.forget(key);
      deps.reservations.assume(key, instance.spec, instance.metadata.generation);
    }
  }
  if (!isWritten) return;
  log.warn({ virtualMachine: key, from: instance.spec.host, to: host, epoch, cause, why, explanation }, 'failed over');
  const note = `${why}; the VM is started on host ${host} (epoch ${epoch})\n${explanation}`;
  deps.events.record({ regarding: vm, type: 'Warning', reason: 'FailedOver', action: 'FailingOver', note });
}

/** Tells a host that has failed to start a VM to leave it alone. Only when it has confirmed that, another one is asked. */
async function takeBack(
  { vm, instance, tried }: Failed,
  maxAttempts: number,
  deps: ControllerDependencies,
  context: ReconcileContext,
): Promise<void> {
  const { spec } = instance;
  if (spec.failover === undefined) return;
  const failover = { ...spec.failover, tried: [...tried] };
  if (!(await update(changedInstance(instance, { ...spec, powerState: 'Off', failover }), deps, context))) return;
  const last = tried.at(-1);
  context.log.warn({ virtualMachine: keyOf(instance), host: spec.host, tried }, 'a start has failed');
  const note = `host ${spec.host} failed to start the VM (attempt ${tried.length} of ${maxAttempts}): ${last?.reason}: ${last?.message}`;
  deps.events.record({ regarding: vm, type: 'Warning', reason: 'StartFailed', action: 'FailingOver', note });
}

/** Writes down what was the case when the last attempt had failed, by which new capacity is known. */
async function giveUp(
  { vm, instance, tried, record }: Recoveries['givenUp'][number],
  deps: ControllerDependencies,
  context: ReconcileContext,
): Promise<void> {
  const { spec } = instance;
  if (spec.failover === undefined) return;
  const isNew = spec.failover.gaveUp === undefined;
  const failover = { ...spec.failover, gaveUp: record };
  if (!(await update(changedInstance(instance, { ...spec, failover }), deps, context)) || !isNew) return;
  context.log.error({ virtualMachine: keyOf(instance), tried }, 'every attempt to restart the VM has failed');
  const note = `every attempt to run the VM elsewhere has failed: ${triedInWords(tried)}`;
  deps.events.record({ regarding: vm, type: 'Warning', reason: 'RestartFailed', action: 'FailingOver', note });
}

/** @returns whether it was written; not: somebody has changed it meanwhile, and it is looked at anew */
async function update(
  instance: VirtualMachineInstance,
  { client }: ControllerDependencies,
  { signal, log }: ReconcileContext,
): Promise<boolean> {
  try {
    await client.update(VirtualMachineInstance, instance, { signal });
    return true;
  } catch (error) {
    if (error instanceof KubeError && error.isConflict()) {
      log.info({ virtualMachine: keyOf(instance) }, 'the instance has changed meanwhile; it is looked at anew');
      return false;
    }
    throw error;
  }
}
