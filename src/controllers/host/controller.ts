import { Host } from '../../api/host.ts';
import type { Lease, ObjectKey } from '../../kube/index.ts';
import {
  type Clock,
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
import { hostsOfLease, leaseKeyOf } from './lease.ts';

const DEFAULT_LEASE_MS = 15_000;

/** Calls a host's readiness unknown when its agent has stopped renewing its lease. The agent says when it is back. */
export function hostController(deps: ControllerDependencies): Controller {
  const { hosts, leases } = deps.informers;
  const heartbeats = new Heartbeats(deps.clock);
  return new Controller({
    name: 'host',
    sources: [source(hosts), source(leases, ({ object }) => hostsOfLease(object))],
    reconcile: (key, context) => reconcile(key, context, heartbeats, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  { signal, clock, log }: ReconcileContext,
  heartbeats: Heartbeats,
  { informers, client, events }: ControllerDependencies,
): Promise<Result> {
  const host = informers.hosts.get(key);
  if (host === undefined) return done;
  const isCalledSilent = findCondition(host.status?.conditions ?? [], 'Ready')?.status === 'Unknown';
  if (!isCalledSilent) heartbeats.spoke(key);
  const leftMs = heartbeats.leftMs(key, informers.leases.get(leaseKeyOf(key)));
  if (leftMs > 0) return requeueAfter(leftMs, "the host's lease is fresh");
  const before = host.status?.conditions ?? [];
  if (isCalledSilent) return done;
  const silent = {
    type: 'Ready',
    status: 'Unknown',
    reason: 'AgentNotResponding',
    message: `the agent of host ${key} has stopped renewing its lease; its VMs may still run. Look at the host and its drover-agent`,
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

/**
 * When each lease was last seen to change, by this process's own clock: the times inside a lease are another machine's.
 * Source: client-go's leader election and the node lifecycle controller do the same.
 */
class Heartbeats {
  readonly #clock: Clock;
  readonly #seen = new Map<string, { renewTime: string | undefined; atMs: number }>();
  /** Hosts that this process has called silent, whose agents have not spoken since. */
  readonly #silent = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  callSilent(host: string): void {
    this.#silent.add(host);
  }

  /**
   * The Host says something else of itself than that it is silent. When this process has called it so, that is a sign of life
   * like a renewal: an agent that comes back often writes its report before its lease, and would be contradicted each time.
   */
  spoke(host: string): void {
    const seen = this.#seen.get(host);
    if (this.#silent.delete(host) && seen !== undefined)
      this.#seen.set(host, { ...seen, atMs: this.#clock.monotonicMs() });
  }

  /** Time until the host counts as silent, in milliseconds; 0 or less when it does. */
  leftMs(host: string, lease: Lease | undefined): number {
    const renewTime = lease?.spec?.renewTime;
    const nowMs = this.#clock.monotonicMs();
    const seen = this.#seen.get(host);
    const durationMs = (lease?.spec?.leaseDurationSeconds ?? 0) * 1000 || DEFAULT_LEASE_MS;
    if (seen !== undefined && seen.renewTime === renewTime) return seen.atMs + durationMs - nowMs;
    this.#seen.set(host, { renewTime, atMs: nowMs });
    return durationMs;
  }
}
