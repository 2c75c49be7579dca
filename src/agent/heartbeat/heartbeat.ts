import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { Counter, Gauge } from 'prom-client';
import { SYSTEM_NAMESPACE } from '../../api/common/names.ts';
import { type KubeApi, type Lease, leaseKind, microTime } from '../../kube/index.ts';
import type { Clock, Metrics } from '../../runtime/index.ts';
import { FIELD_MANAGER } from '../write-status.ts';

export interface HeartbeatDependencies {
  readonly client: KubeApi;
  /** Name of this host; its lease is `drover-system/host-<name>`. */
  readonly host: string;
  /** After how long without a renewal the host counts as not ready, in seconds. Absent: 15. */
  readonly durationSeconds?: number;
  /** Absent: 3 s, or a third of a duration that is shorter than 9 s. */
  readonly intervalMs?: number;
  /** Told of each renewal that the API server has taken. */
  readonly onRenewed?: () => void;
  /** Tells for how long the process could not attend to its heartbeat. Absent: Node's own. */
  readonly lag?: EventLoopLag;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** As `monitorEventLoopDelay` of node:perf_hooks; in nanoseconds. */
export interface EventLoopLag {
  readonly max: number;
  enable(): unknown;
  disable(): unknown;
  reset(): void;
}

export interface Heartbeat {
  /** Renews the lease until the signal is aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

const DURATION_SECONDS = 15;
/** High availability notices a silent host by two renewals that did not come (HAPolicy, failureDetection). */
const INTERVAL_MS = 3_000;

/** The host's sign of life: its lease, renewed beside and independently of all other work. */
export function heartbeat(deps: HeartbeatDependencies): Heartbeat {
  const { durationSeconds = DURATION_SECONDS } = deps;
  const intervalMs = deps.intervalMs ?? Math.min(INTERVAL_MS, (durationSeconds * 1000) / 3);
  const lag = deps.lag ?? monitorEventLoopDelay({ resolution: 10 });
  const renewals = observe(deps, lag);
  const acquireTime = microTime(deps.clock.now());

  /** One write that needs no read before: the host is the only writer of its lease. */
  const renew = async (signal: AbortSignal): Promise<void> => {
    const lease: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: SYSTEM_NAMESPACE, name: leaseNameOf(deps.host) },
      spec: {
        holderIdentity: deps.host,
        leaseDurationSeconds: durationSeconds,
        acquireTime,
        renewTime: microTime(deps.clock.now()),
      },
    };
    await deps.client.apply(leaseKind, lease, {
      fieldManager: FIELD_MANAGER,
      force: true,
      signal,
      timeoutMs: intervalMs,
    });
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    let failures = 0;
    lag.enable();
    while (!signal.aborted) {
      const startedMs = deps.clock.monotonicMs();
      try {
        await renew(signal);
        if (failures > 0) deps.log.info({ failures }, 'the lease is renewed again');
        failures = 0;
        renewals.succeeded();
        deps.onRenewed?.();
      } catch (error) {
        if (signal.aborted) break;
        failures++;
        renewals.failed();
        deps.log.warn({ err: error, failures }, 'cannot renew the lease of the host; trying again');
      }
      // A failed renewal is tried again sooner, so that one lost packet does not cost a third of the duration.
      const waitMs = failures > 0 ? Math.min(1_000, intervalMs) : intervalMs;
      const spentMs = deps.clock.monotonicMs() - startedMs;
      await deps.clock.sleep(Math.max(0, waitMs - spentMs), signal).catch(() => undefined);
    }
    lag.disable();
  };
  return { run };
}

export function leaseNameOf(host: string): string {
  return `host-${host}`;
}

function observe({ metrics, clock }: HeartbeatDependencies, lag: EventLoopLag) {
  const registers = [metrics.registry];
  let renewedMs: number | undefined;
  const total = new Counter({
    name: 'drover_heartbeat_renewals_total',
    help: "Renewals of the host's lease, by outcome.",
    labelNames: ['outcome'],
    registers,
  });
  new Gauge({
    name: 'drover_heartbeat_age_seconds',
    help: 'Time since the lease was renewed last; absent before the first time.',
    registers,
    collect() {
      if (renewedMs !== undefined) this.set((clock.monotonicMs() - renewedMs) / 1000);
    },
  });
  new Gauge({
    name: 'drover_heartbeat_event_loop_lag_max_seconds',
    help: 'Longest time since the last scrape in which the process could not attend to its heartbeat.',
    registers,
    collect() {
      this.set(lag.max / 1e9);
      lag.reset();
    },
  });
  return {
    succeeded: () => {
      renewedMs = clock.monotonicMs();
      total.inc({ outcome: 'renewed' });
    },
    failed: () => total.inc({ outcome: 'failed' }),
  };
}
