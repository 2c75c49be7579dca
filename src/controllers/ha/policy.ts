import { MAX_LISTED } from '../../api/cluster.ts';
import { HAPolicy } from '../../api/ha-policy.ts';
import type { ObjectKey } from '../../kube/index.ts';
import {
  type ConditionInput,
  Controller,
  done,
  type ReconcileContext,
  type Result,
  setConditions,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { writeStatus } from '../write-status.ts';

/** Says of each HAPolicy where it is in effect, and what of it cannot be carried out. */
export function haPolicyController(deps: ControllerDependencies): Controller {
  const { clusters, haPolicies } = deps.informers;
  return new Controller({
    name: 'haPolicy',
    sources: [source(haPolicies), source(clusters, () => haPolicies.keys())],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  { signal, clock }: ReconcileContext,
  { informers, client }: ControllerDependencies,
): Promise<Result> {
  const policy = informers.haPolicies.get(key);
  if (policy === undefined) return done;
  const clusters = informers.clusters
    .list()
    .filter(({ spec }) => spec.ha.enabled && spec.ha.policyName === key)
    .map(({ metadata }) => metadata.name)
    .toSorted();
  const observedGeneration = policy.metadata.generation;
  const condition = { ...readyOf(policy, clusters), observedGeneration };
  const status = {
    observedGeneration,
    ...(clusters.length > 0 && { clusters: clusters.slice(0, MAX_LISTED) }),
    conditions: [...setConditions(policy.status?.conditions ?? [], [condition], clock.now())],
  };
  await writeStatus(client, HAPolicy, policy, status, { fieldManager: FIELD_MANAGERS.haPolicy, signal });
  return done;
}

function readyOf({ spec }: HAPolicy, clusters: readonly string[]): ConditionInput {
  const type = 'Ready';
  if (spec.hostFault.action === 'Restart' && spec.fencing.order.length === 0) {
    const message =
      'fencing.order is empty, so that nothing proves a host to be off: VMs of a dead host are restarted only after an administrator has confirmed it. Write order: [BMC] and give the hosts spec.power.bmc, or order: [StorageLease] and run the lease keeper with a watchdog on them';
    return { type, status: 'False', reason: 'NoFencingMethod', message };
  }
  const { isolationResponse, fencing } = spec;
  if (
    isolationResponse !== 'LeavePoweredOn' &&
    spec.hostFault.action === 'Restart' &&
    !fencing.order.includes('StorageLease')
  ) {
    const message = `isolationResponse ${isolationResponse} has no effect: a host that is cut off has its power cut before it finds that out. Write fencing.order: [BMC, StorageLease] and run the lease keeper on the hosts, which leaves a host alone that renews its lease; or isolationResponse: LeavePoweredOn`;
    return { type, status: 'False', reason: 'IsolationResponseWithoutLease', message };
  }
  if (clusters.length === 0) {
    const message = 'no Cluster that has high availability names it (spec.ha.policyName)';
    return { type, status: 'True', reason: 'NotUsed', message };
  }
  return { type, status: 'True', reason: 'InEffect', message: `in effect in ${clusters.join(', ')}` };
}
