import type { Cluster } from '../../api/cluster.ts';
import { Host, type HostStatus } from '../../api/host.ts';
import { Migration } from '../../api/migration.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { type Evacuee, nextEvacuationStep } from '../../core/maintenance/evacuation.ts';
import { isOver } from '../../core/migration/is-over.ts';
import { keepsTogether } from '../../core/migration/together.ts';
import { nameOf } from '../../core/model/names.ts';
import { byName } from '../../core/model/order.ts';
import { maintenanceOf } from '../../core/model/read-host.ts';
import { isConfirmedOff } from '../../core/virtual-machine/next-step.ts';
import { type Change, keyOf, type ObjectKey, refOfKey } from '../../kube/index.ts';
import {
  type ConditionInput,
  Controller,
  done,
  type ReconcileContext,
  type Result,
  requeueAfter,
  setConditions,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { BY_HOST } from '../informers.ts';
import { historyOf } from '../migration/history.ts';
import { attemptName, makeMigration } from '../migration/make.ts';
import { planFor, planForGroup, togetherWith } from '../migration/plan.ts';
import { writeStatus } from '../write-status.ts';

/** How soon a host that is being emptied is looked at again, although nothing has changed that it could be seen by. */
const AGAIN_MS = 15_000;

/** Empties hosts that are in maintenance, and says how far each is. */
export function evacuationController(deps: ControllerDependencies): Controller {
  const { clusters, hosts, instances, migrations, nodes, virtualMachines } = deps.informers;
  const emptied = () =>
    hosts
      .list()
      .filter(({ status }) => status?.evacuation !== undefined)
      .map(keyOf);
  return new Controller({
    name: 'evacuation',
    concurrency: 1,
    sources: [
      source(hosts, ({ key }) => [key, ...emptied()]),
      source(nodes),
      source(clusters, (change) => (isOtherReserve(change) ? hosts.keys() : [])),
      source(instances, ({ object, ...change }) => [
        object.spec.host,
        ...('previous' in change ? [change.previous.spec.host] : []),
      ]),
      source(migrations, ({ object }) => {
        const { sourceHost } = object.status ?? {};
        return [...(sourceHost === undefined ? [] : [sourceHost]), ...(isOver(object) ? emptied() : [])];
      }),
      source(virtualMachines, ({ key }) => {
        const host = instances.get(key)?.spec.host;
        return host === undefined ? [] : [host];
      }),
    ],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

function isOtherReserve(change: Change<Cluster>): boolean {
  return change.type !== 'updated' || change.object.metadata.generation !== change.previous.metadata.generation;
}

async function reconcile(
  key: ObjectKey,
  { signal, clock, log }: ReconcileContext,
  deps: ControllerDependencies,
): Promise<Result> {
  const { informers, client } = deps;
  const cached = informers.hosts.get(key);
  if (cached === undefined) return done;
  const now = clock.now();
  const host = withNode(cached, informers.nodes.get(key)?.spec?.unschedulable === true);
  // Most hosts, most of the time: their VMs need not be looked at.
  const isKeptEmpty = keptEmpty(key, deps);
  const isUsual = maintenanceOf(host) === undefined && !isKeptEmpty && cached.status?.evacuation === undefined;
  // One of which the host has confirmed that nothing is left is not on it, and waits to run elsewhere.
  const onHost = isUsual ? [] : informers.instances.byIndex(BY_HOST, key).filter((each) => !isConfirmedOff(each));
  const { move, stop, evacuation, untilMs } = nextEvacuationStep({
    nowMs: now.getTime(),
    host,
    isKeptEmpty,
    evacuees: onHost
      .map((instance) => ({ instance, name: keyOf(instance) }))
      .toSorted(byName)
      .map(({ instance }) => evacueeOf(instance, deps)),
    atOnce: 2 * maxPerHost(key, deps),
  });
  // Before the status says that it is over: nobody looks for them after that.
  for (const { metadata } of stop) {
    log.info(
      { migration: keyOf({ metadata }) },
      'the host is in maintenance no more: a migration that has not begun goes',
    );
    await client.delete(Migration, metadata, { uid: metadata.uid, signal });
  }
  await write(cached, host, evacuation, now, deps, signal);
  for (const evacuee of move) await makeMigration(migrationOf(evacuee, deps), deps, signal);
  if (evacuation === undefined) return done;
  const againMs = untilMs === undefined ? AGAIN_MS : Math.min(AGAIN_MS, Math.max(0, untilMs - now.getTime()));
  return evacuation.remaining > 0 ? requeueAfter(againMs, 'the host is being emptied') : done;
}

const NO_STATUS: HostStatus = Host.status.parse({ conditions: [] });

/** The Host with what its Node says now. */
function withNode(host: Host, isCordoned: boolean): Host {
  return { ...host, status: { ...(host.status ?? NO_STATUS), nodeCordoned: isCordoned } };
}

function evacueeOf(instance: VirtualMachineInstance, deps: ControllerDependencies): Evacuee {
  const key = keyOf(instance);
  const { name } = refOfKey(key);
  const together = togetherWith(key, deps);
  const isAlone = together.length === 1;
  const group = isAlone ? undefined : deps.inventories.groupsOf(key).find(keepsTogether);
  return {
    key,
    together,
    ruleGroup: group && nameOf(group.name),
    ...historyOf(key, 'Maintenance', deps),
    plan: () =>
      isAlone
        ? planFor(
            key,
            { virtualMachineName: name, targetHost: undefined, uid: undefined, isEvacuation: true },
            deps,
            undefined,
          )
        : planForGroup(together, { targetHost: undefined, isEvacuation: true }, undefined, deps),
  };
}

function migrationOf({ key, ruleGroup, failed }: Evacuee, { informers }: ControllerDependencies) {
  const { namespace = '', name } = refOfKey(key);
  const { virtualMachineUID = '', epoch = 0 } = informers.instances.get(key)?.spec ?? {};
  const what = ruleGroup === undefined ? { virtualMachineName: name } : { ruleGroupName: ruleGroup };
  const attempt = attemptName(name, 'evacuation', [virtualMachineUID, epoch, failed.length]);
  return { namespace, name: attempt, spec: { cause: 'Maintenance' as const, ...what } };
}

/** Whether VMs that a failover has brought to the host are to leave it again. */
function keptEmpty(host: string, { inventories }: ControllerDependencies): boolean {
  const reserve = inventories.reserves.reserveOf(inventories.clusterOf(host));
  return reserve.type === 'FailoverHosts' && reserve.evacuate && reserve.hosts.has(host);
}

function maxPerHost(host: string, { inventories, informers }: ControllerDependencies): number {
  const cluster = inventories.clusterOf(host);
  return (cluster === undefined ? undefined : informers.clusters.get(cluster)?.spec.migration.maxPerHost) ?? 1;
}

async function write(
  cached: Host,
  host: Host,
  evacuation: HostStatus['evacuation'],
  now: Date,
  { client, events }: ControllerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const condition = { ...inMaintenance(evacuation), observedGeneration: host.metadata.generation };
  const before = (cached.status?.conditions ?? []).filter(({ type }) => type === condition.type);
  // A host that was never in maintenance need not say so.
  if (
    evacuation === undefined &&
    before.length === 0 &&
    host.status?.nodeCordoned === (cached.status?.nodeCordoned ?? false)
  )
    return;
  const status = {
    ...(host.status?.nodeCordoned && { nodeCordoned: true }),
    ...(evacuation && { evacuation }),
    conditions: [...setConditions(before, [condition], now)],
  };
  const written = await writeStatus(client, Host, cached, status, { fieldManager: FIELD_MANAGERS.evacuation, signal });
  if (written && before[0]?.reason !== condition.reason) {
    const type = condition.reason === 'Blocked' ? 'Warning' : 'Normal';
    events.record({ regarding: cached, type, reason: condition.reason, action: 'Evacuating', note: condition.message });
  }
}

function inMaintenance(evacuation: HostStatus['evacuation']): Omit<ConditionInput, 'observedGeneration'> {
  const type = 'InMaintenance';
  if (evacuation === undefined) {
    return { type, status: 'False', reason: 'Disabled', message: 'the host takes VMs' };
  }
  const { cause, total, remaining, moving, blocked = [] } = evacuation;
  if (cause === 'FailoverHost') {
    const message = `the host takes VMs of dead hosts; ${remaining} that it has taken are to leave it again (spec.ha.admissionControl.failoverHosts.evacuate of its Cluster), ${moving} are being moved or wait for their turn, ${blocked.length} cannot be moved now (status.evacuation.blocked)`;
    return { type, status: 'False', reason: 'FailoverHost', message };
  }
  const why = cause === 'Spec' ? 'spec.maintenance is Evacuate' : 'its Node is cordoned';
  if (remaining === 0)
    return { type, status: 'True', reason: 'Empty', message: `no VM is on the host, and it takes none: ${why}` };
  const left = `${total - remaining} of ${total} VMs have left, ${moving} are being moved or wait for their turn`;
  if (blocked.length === 0) return { type, status: 'False', reason: 'Evacuating', message: left };
  const stuck = blocked.slice(0, 5).map(({ virtualMachine, message }) => `${virtualMachine}: ${message}`);
  const more = blocked.length > 5 ? [`and ${blocked.length - 5} more (status.evacuation.blocked)`] : [];
  return {
    type,
    status: 'False',
    reason: 'Blocked',
    message: [`${left}; cannot be moved now`, ...stuck, ...more].join('\n'),
  };
}
