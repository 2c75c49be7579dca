import { Cluster, type ClusterStatus } from '../../api/cluster.ts';
import { clusterOf, membershipOf } from '../../core/cluster/membership.ts';
import { addResources, NO_RESOURCES } from '../../core/model/host.ts';
import { allocatable, readiness } from '../../core/model/read-host.ts';
import { keyOf, type ObjectKey } from '../../kube/index.ts';
import {
  type ConditionInput,
  Controller,
  done,
  isTrue,
  type ReconcileContext,
  type Result,
  requeueAfter,
  setConditions,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { clusterModels, hostsOf } from '../inventory/hosts.ts';
import { writeStatus } from '../write-status.ts';
import { baselineOf } from './baseline.ts';
import { capacityOf, haOf, haReady } from './ha.ts';

/** Counts of VMs are brought up to date this often, not with every VM: a burst of 1000 must not cost 1000 writes. */
const COUNT_EVERY_MS = 5_000;

/** Sums up the hosts and VMs of each Cluster, and names hosts that more than one Cluster selects. */
export function clusterController(deps: ControllerDependencies): Controller {
  const { clusters, haPolicies, hosts } = deps.informers;
  return new Controller({
    name: 'cluster',
    sources: [source(clusters), source(hosts, () => clusters.keys()), source(haPolicies, () => clusters.keys())],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  { signal, clock }: ReconcileContext,
  deps: ControllerDependencies,
): Promise<Result> {
  const cluster = deps.informers.clusters.get(key);
  if (cluster === undefined) return done;
  const status = statusOf(cluster, deps, clock.now());
  await writeStatus(deps.client, Cluster, cluster, status, { fieldManager: FIELD_MANAGERS.cluster, signal });
  return requeueAfter(COUNT_EVERY_MS, 'VMs are counted again');
}

function statusOf(
  cluster: Cluster,
  { informers, inventories, reservations }: ControllerDependencies,
  now: Date,
): ClusterStatus {
  const { name, generation } = cluster.metadata;
  const hosts = hostsOf(name, informers);
  const ready = hosts.filter((host) => readiness(host).ok);
  const clusters = clusterModels(informers);
  const vms = informers.virtualMachines.list().filter(({ spec }) => {
    const choice = clusterOf(spec.clusterName, clusters);
    return choice.ok && choice.cluster === name;
  });
  const total = ready.map(allocatable).reduce(addResources, NO_RESOURCES);
  const reserved = ready.map(({ metadata }) => reservations.onHost(metadata.name)).reduce(addResources, NO_RESOURCES);
  // Also those that the cache does not show yet: a level must not fall below what was given a moment ago.
  const placed = vms.map(keyOf).flatMap((key) => {
    const placement = reservations.placementOf(key);
    return placement === undefined ? [] : [{ name: key, cpuModel: placement.cpu.model }];
  });
  const { baseline, condition } = baselineOf(cluster, hosts, placed);
  const capacity = capacityOf(cluster, inventories.reserves);
  const conditions = [
    readyCondition(hosts.length, ready.length),
    condition,
    hostConflict(name, informers),
    haReady(
      cluster,
      hosts,
      (policy) => informers.haPolicies.get(policy),
      informers.datastores.list().some(({ spec }) => spec.shared),
    ),
    capacity.condition,
  ];
  return {
    observedGeneration: generation,
    hosts: { total: hosts.length, ready: ready.length },
    virtualMachines: {
      total: vms.length,
      running: vms.filter(({ status }) => isTrue(status?.conditions, 'Running')).length,
    },
    cpu: { allocatableCores: total.cpuCores, reservedCores: Math.round(reserved.cpuCores * 1000) / 1000 },
    memory: { allocatableBytes: total.memoryBytes, reservedBytes: reserved.memoryBytes },
    baseline,
    ha: cluster.spec.ha.enabled ? haOf(hosts, vms, capacity) : undefined,
    conditions: [
      ...setConditions(
        cluster.status?.conditions ?? [],
        conditions.map((condition) => ({ ...condition, observedGeneration: generation })),
        now,
      ),
    ],
  };
}

function readyCondition(total: number, ready: number): ConditionInput {
  const type = 'Ready';
  const message = `${ready} of ${total} hosts can run VMs`;
  if (total === 0)
    return {
      type,
      status: 'False',
      reason: 'NoHosts',
      message: 'no Host belongs to the Cluster; look at spec.hostSelector and kubectl get hosts --show-labels',
    };
  return ready === 0
    ? { type, status: 'False', reason: 'NoHostReady', message }
    : { type, status: 'True', reason: 'HostsReady', message };
}

/** Whether hosts that this Cluster selects belong to an older one, or a younger one selects hosts of this one. */
function hostConflict(name: string, informers: ControllerDependencies['informers']): ConditionInput {
  const type = 'HostConflict';
  const clusters = clusterModels(informers);
  const conflicts = informers.hosts.list().flatMap(({ metadata }) => {
    const { cluster, alsoSelectedBy } = membershipOf(metadata.labels, clusters);
    if (cluster === undefined || alsoSelectedBy.length === 0) return [];
    return cluster === name || alsoSelectedBy.includes(name)
      ? [`host ${metadata.name} belongs to ${cluster}, ${alsoSelectedBy.join(', ')} select it too`]
      : [];
  });
  return conflicts.length === 0
    ? { type, status: 'False', reason: 'NoConflict', message: 'no host is selected by two Clusters' }
    : {
        type,
        status: 'True',
        reason: 'SelectedTwice',
        message: `${conflicts.join('; ')}. The oldest Cluster keeps a host; change a hostSelector`,
      };
}
