import { PLACEMENT_ANNOTATION } from '../../api/common/names.ts';
import type { Host } from '../../api/host.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import { VirtualMachineInstance, type VirtualMachineInstanceSpec } from '../../api/virtual-machine-instance.ts';
import { failoverHostsOf } from '../../core/ha/admission.ts';
import { policyOf } from '../../core/ha/policy.ts';
import { type Proof, proofFor, shouldRun } from '../../core/ha/proof.ts';
import { type LostVirtualMachine, planRestarts, type Restart } from '../../core/ha/restart-plan.ts';
import { isSilent } from '../../core/model/read-host.ts';
import { explainPlacement } from '../../core/placement/explain.ts';
import { instanceSpec } from '../../core/virtual-machine/instance-spec.ts';
import { wishOf } from '../../core/virtual-machine/next-step.ts';
import type { ResolvedDevices } from '../../core/virtual-machine/resolve.ts';
import { KubeError, keyOf, type ObjectKey } from '../../kube/index.ts';
import { Controller, done, type ReconcileContext, type Result, requeueAfter, source } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_HOST } from '../informers.ts';
import { sealUserData } from '../virtual-machine/apply.ts';
import { gather } from '../virtual-machine/gather.ts';
import { changedInstance } from '../virtual-machine/instance.ts';

/** How soon VMs that found no host are looked at again, although nothing has changed that it could be seen by. */
const AGAIN_MS = 10_000;

/** A VM of which nothing runs any more, with all that its new placement needs. */
interface Lost extends LostVirtualMachine {
  readonly vm: VirtualMachine;
  readonly instance: VirtualMachineInstance;
  readonly devices: ResolvedDevices;
  readonly proof: Proof;
}

/** Gives VMs of dead hosts other hosts, one Cluster at a time: which VM comes first is decided over all of them. */
export function failoverController(deps: ControllerDependencies): Controller {
  const { clusters, haPolicies, hosts, instances } = deps.informers;
  const clusterOfHost = (host: string) => {
    const cluster = deps.inventories.clusterOf(host);
    return cluster === undefined ? [] : [cluster];
  };
  return new Controller({
    name: 'failover',
    sources: [
      source(clusters),
      source(haPolicies, () => clusters.keys()),
      source(hosts, ({ key }) => clusterOfHost(key)),
      // Those that wait, those that have just been given a host, and those that this one has started.
      source(instances, ({ object: { spec } }) => {
        const host = hosts.get(spec.host);
        const isConcerned = (host !== undefined && isSilent(host)) || spec.failover?.epoch === spec.epoch;
        return isConcerned ? clusterOfHost(spec.host) : [];
      }),
    ],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(key: ObjectKey, context: ReconcileContext, deps: ControllerDependencies): Promise<Result> {
  const { informers, inventories } = deps;
  const choice = policyOf(informers.clusters.get(key), (name) => informers.haPolicies.get(name));
  if (!choice.ok || !choice.enabled || choice.policy.hostFault.action !== 'Restart') return done;
  const ofCluster = informers.hosts.list().filter(({ metadata }) => inventories.clusterOf(metadata.name) === key);
  const lost = ofCluster.filter(isSilent).flatMap((host) => lostOn(host, deps));
  if (lost.length === 0) return done;
  const { restarts, waiting, unplaceable } = planRestarts({
    lost,
    inventory: inventories.of(key),
    starting: startingOn(ofCluster, deps),
    maxConcurrentPerHost: choice.policy.restart.maxConcurrentPerHost,
    failoverHosts: failoverHostsOf(inventories.reserves.reserveOf(key)),
  });
  context.log.info(
    { restarts: restarts.length, waiting: waiting.length, unplaceable: unplaceable.length },
    'VMs of dead hosts are given others',
  );
  const byKey = new Map(lost.map((each) => [each.request.virtualMachine, each]));
  const outcomes = await Promise.allSettled(
    restarts.map(async (restart) => {
      const each = byKey.get(restart.lost.request.virtualMachine);
      if (each !== undefined) await give(each, restart, deps, context);
    }),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return requeueAfter(AGAIN_MS, 'VMs of dead hosts wait');
}

function lostOn(host: Host, deps: ControllerDependencies): Lost[] {
  return deps.informers.instances.byIndex(BY_HOST, host.metadata.name).flatMap((instance) => {
    const key = keyOf(instance);
    const proof = proofFor(instance, host);
    const input = gather(key, deps);
    // What was decided a moment ago, the cache does not show yet.
    const isDecided = (deps.reservations.placementOf(key)?.epoch ?? 0) > instance.spec.epoch;
    if (proof === undefined || isDecided || !shouldRun(input.vm, instance)) return [];
    const { vm } = input;
    if (input.strayOn !== undefined) {
      const note = `it is not started elsewhere although host ${host.metadata.name} is dead: host ${input.strayOn} runs a domain of it that no intent speaks of. Find out which copy holds the newer data, then shut the domain down there with virsh`;
      deps.events.record({ regarding: vm, type: 'Warning', reason: 'StrayDomain', action: 'FailingOver', note });
      return [];
    }
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
  const why =
    proof.bootID === undefined
      ? `${fromHost} had never begun to start it`
      : `${proof.method} proved that boot ${proof.bootID} of ${fromHost} is over`;
  log.warn({ virtualMachine: key, from: fromHost, to: host, epoch, proof, explanation }, 'failed over');
  const note = `host ${fromHost} is dead, and the VM is started on host ${host} (epoch ${epoch}): ${why}\n${explanation}`;
  deps.events.record({ regarding: vm, type: 'Warning', reason: 'FailedOver', action: 'FailingOver', note });
}
