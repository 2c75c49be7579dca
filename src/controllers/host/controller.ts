import { MISSED_RENEWAL_SECONDS } from '../../api/ha-policy.ts';
import { Host } from '../../api/host.ts';
import { isSilent } from '../../core/model/read-host.ts';
import type { ObjectKey } from '../../kube/index.ts';
import {
  Controller,
  done,
  findCondition,
  type ReconcileContext,
  type Result,
  requeueAfter,
  setConditions,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { writeStatus } from '../write-status.ts';
import { hostsOfLease } from './lease.ts';

/** Calls a host's readiness unknown when its agent has stopped renewing its lease. The agent says when it is back. */
export function hostController(deps: ControllerDependencies): Controller {
  const { hosts, leases } = deps.informers;
  return new Controller({
    name: 'host',
    sources: [source(hosts), source(leases, ({ object }) => hostsOfLease(object))],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  { signal, clock, log }: ReconcileContext,
  { informers, client, events, heartbeats }: ControllerDependencies,
): Promise<Result> {
  const host = informers.hosts.get(key);
  if (host === undefined) return done;
  const isCalledSilent = findCondition(host.status?.conditions ?? [], 'Ready')?.status === 'Unknown';
  if (!isCalledSilent) heartbeats.spoke(key);
  const leftMs = heartbeats.leftMs(key);
  // High availability may notice its silence earlier.
  const isNoticed = isSilent(host) && heartbeats.of(key).silentMs >= MISSED_RENEWAL_SECONDS * 1000;
  if (leftMs > 0 && !isNoticed) return requeueAfter(leftMs, "the host's lease is fresh");
  const before = host.status?.conditions ?? [];
  if (isCalledSilent) return done;
  const silent = {
    type: 'Ready',
    status: 'Unknown',
    reason: 'AgentNotResponding',
    message: isSilent(host)
      ? `high availability takes the host for ${host.status?.availability?.state}; see status.availability`
      : `the agent of host ${key} has stopped renewing its lease; its VMs may still run. Look at the host and its drover-agent`,
    observedGeneration: host.metadata.generation,
  } as const;
  const conditions = setConditions(
    before.filter(({ type }) => type === 'Ready'),
    [silent],
    clock.now(),
  );
  // Forced: the condition is the agent's, and the agent is silent.
  await writeStatus(client, Host, host, { conditions }, { fieldManager: FIELD_MANAGERS.host, force: true, signal });
  heartbeats.callSilent(key);
  log.warn({ host: key }, silent.message);
  events.record({ regarding: host, type: 'Warning', reason: silent.reason, action: 'Watching', note: silent.message });
  return done;
}
