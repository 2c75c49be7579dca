import type { Logger } from 'pino';
import type { AnyInformer, Clock, LeaderElectionOptions, Leadership } from '../kube/index.ts';
import type { Controller } from './controller.ts';
import type { Metrics } from './metrics.ts';

export interface ManagerOptions {
  log: Logger;
  metrics: Metrics;
  /** Every informer that controllers read, also those that are no source. */
  informers: readonly AnyInformer[];
  /** Builds the controllers; called once, and again never: a process that lost leadership exits. */
  controllers: (leadership: Leadership | undefined) => readonly Controller[];
  /** Absent: no election, controllers start as soon as the caches are synced. */
  leaderElection?: LeaderElectionOptions;
  /** Where /healthz, /readyz and /metrics are served. Absent: not served. Port 0 picks a free one. */
  http?: { host: string; port: number };
  /** Time for passes under way after SIGTERM. Absent: 20 s. */
  drainTimeoutMs?: number;
  clock?: Clock;
}

export type ManagerOutcome = 'stopped' | 'lost-leadership';

export declare class Manager {
  constructor(options: ManagerOptions);
  /** Runs until the signal is aborted (or leadership is lost), drains, and returns why it ended. */
  run(stop: AbortSignal): Promise<ManagerOutcome>;
  /** Address of the HTTP endpoints once they listen. */
  readonly httpAddress: { host: string; port: number } | undefined;
}

/** Aborted by the first SIGTERM or SIGINT. */
export declare function terminationSignal(): AbortSignal;
