import { Host } from '../../api/host.ts';
import { membershipOf } from '../../core/cluster/membership.ts';
import { readCpu } from '../../core/model/read-host.ts';
import { shortList } from '../../core/model/short-list.ts';
import type { ObjectKey } from '../../kube/index.ts';
import {
  type ConditionInput,
  Controller,
  done,
  findCondition,
  type ReconcileContext,
  type Result,
  setConditions,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { clusterModels } from '../inventory/hosts.ts';
import { writeStatus } from '../write-status.ts';

const TYPE = 'CPUCompatible';

/** Says of each host whether it can present the CPU baseline of its Cluster, and what it lacks. */
export function cpuCompatibleController(deps: ControllerDependencies): Controller {
  const { clusters, hosts } = deps.informers;
  return new Controller({
    name: 'cpuCompatible',
    sources: [source(hosts), source(clusters, () => hosts.keys())],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  { signal, clock }: ReconcileContext,
  { informers, client, events }: ControllerDependencies,
): Promise<Result> {
  const host = informers.hosts.get(key);
  if (host === undefined) return done;
  const { cluster } = membershipOf(host.metadata.labels, clusterModels(informers));
  const level = cluster === undefined ? undefined : informers.clusters.get(cluster)?.status?.baseline?.level;
  const before = findCondition(host.status?.conditions ?? [], TYPE);
  const wanted = conditionOf(host, cluster, level);
  // Most Clusters have no baseline, and their hosts need not say so.
  if (before === undefined && wanted.reason === 'NoBaseline') return done;
  const condition = { ...wanted, observedGeneration: host.metadata.generation };
  const status = { conditions: [...setConditions(before === undefined ? [] : [before], [condition], clock.now())] };
  const written = await writeStatus(client, Host, host, status, { fieldManager: FIELD_MANAGERS.cpuCompatible, signal });
  if (written && wanted.status === 'False' && before?.message !== wanted.message) {
    const { reason, message: note } = wanted;
    events.record({ regarding: host, type: 'Warning', reason, action: 'Joining', note });
  }
  return done;
}

function conditionOf({ status }: Host, cluster: string | undefined, level: string | undefined): ConditionInput {
  if (level === undefined) {
    const message = 'its Cluster asks for no CPU baseline (spec.imc)';
    return { type: TYPE, status: 'True', reason: 'NoBaseline', message };
  }
  const { cpuModels, missingCpuFeatures } = readCpu(status);
  const what = `${level}, the CPU baseline of Cluster "${cluster}"`;
  if (cpuModels.size === 0) {
    return {
      type: TYPE,
      status: 'Unknown',
      reason: 'NotReported',
      message: `it has not told whether it can present ${what}`,
    };
  }
  if (cpuModels.has(level))
    return { type: TYPE, status: 'True', reason: 'CanPresent', message: `it can present ${what}` };
  const missing = missingCpuFeatures.get(level) ?? [];
  const lacks = missing.length === 0 ? '' : `: it lacks ${shortList(missing, 40)}`;
  const message = `it cannot present ${what}${lacks}. It gets no VMs of the Cluster; lower the baseline, or give the host another Cluster`;
  return { type: TYPE, status: 'False', reason: 'FeaturesMissing', message };
}
