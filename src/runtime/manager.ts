import type { Logger } from 'pino';
import {
  type AnyInformer,
  aborted,
  type Clock,
  type LeaderElectionOptions,
  LeaderElector,
  type Leadership,
  pause,
  systemClock,
} from '../kube/index.ts';
import type { Controller } from './controller.ts';
import { Endpoints, type Health } from './endpoints.ts';
import type { Metrics } from './metrics.ts';

export interface ManagerOptions {
  log: Logger;
  metrics: Metrics;
  /** Every informer that controllers read, also those that are no source. */
  informers: readonly AnyInformer[];
  /** Builds the controllers, once: a process that lost leadership ends. */
  controllers: (leadership: Leadership | undefined) => readonly Controller[];
  /** Absent: no election; controllers start as soon as the caches are synced. */
  leaderElection?: LeaderElectionOptions;
  /** Where /healthz, /readyz and /metrics are served. Absent: not served. Port 0 picks a free one. */
  http?: { host: string; port: number };
  /** Further condition of readiness, besides synced caches. */
  ready?: () => Health;
  /** Time for passes under way after the stop. Absent: 20 s. */
  drainTimeoutMs?: number;
  clock?: Clock;
}

export type ManagerOutcome = 'stopped' | 'lost-leadership';

/** Passes whose signal was aborted get this long to notice; then the process ends without them. */
const ABANDON_MS = 2_000;

/** Runs a process: caches first, then election, then controllers; and backwards at its end. */
export class Manager {
  readonly #options: ManagerOptions;
  readonly #clock: Clock;
  #httpAddress: { host: string; port: number } | undefined;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Address of the HTTP endpoints once they listen. */
  get httpAddress(): { host: string; port: number } | undefined {
    return this.#httpAddress;
  }

  /** Runs until the signal is aborted or leadership is lost, drains, and returns why it ended. */
  async run(stop: AbortSignal): Promise<ManagerOutcome> {
    const { informers, leaderElection, log } = this.#options;
    const endpoints = await this.#serve();
    const watching = new AbortController();
    const reflecting = Promise.all(informers.map((informer) => informer.run(watching.signal)));
    try {
      await Promise.all(informers.map((informer) => informer.synced(stop)));
      log.info(
        { objects: Object.fromEntries(informers.map(({ kind, size }) => [kind.plural, size])) },
        'caches synced',
      );
      if (!leaderElection) await this.#work(undefined, stop);
      else return await this.#lead(leaderElection, stop);
      return 'stopped';
    } catch (error) {
      if (stop.aborted && error === stop.reason) return 'stopped';
      throw error;
    } finally {
      watching.abort();
      await reflecting;
      await endpoints?.close();
    }
  }

  async #lead(options: LeaderElectionOptions, stop: AbortSignal): Promise<ManagerOutcome> {
    const { log, metrics } = this.#options;
    const elector = new LeaderElector({
      ...options,
      onError: (error) => {
        log.warn({ err: error }, 'a call for the leader lease failed');
        options.onError?.(error);
      },
      onNewLeader: (identity) => {
        log.info({ leader: identity, self: options.identity }, 'the leader is');
        options.onNewLeader?.(identity);
      },
    });
    const outcome = await elector.run(async (leadership) => {
      metrics.setLeader(true);
      await this.#work(leadership, stop);
      metrics.setLeader(false);
    }, stop);
    if (outcome === 'lost') log.error('leadership lost: this process must end');
    return outcome === 'lost' ? 'lost-leadership' : 'stopped';
  }

  /** Runs the controllers until the stop, or until the leadership is lost, and drains them in bounded time. */
  async #work(leadership: Leadership | undefined, stop: AbortSignal): Promise<void> {
    const { controllers, log, drainTimeoutMs = 20_000 } = this.#options;
    const kill = new AbortController();
    const onLost = () => kill.abort(leadership?.signal.reason);
    leadership?.signal.addEventListener('abort', onLost, { once: true });
    const ended = new AbortController();
    const running = Promise.all(controllers(leadership).map((controller) => controller.run(stop, kill.signal)));
    const bounded = async () => {
      await aborted(AbortSignal.any([stop, kill.signal, ended.signal]));
      await pause(this.#clock, drainTimeoutMs, AbortSignal.any([kill.signal, ended.signal]));
      kill.abort(new Error(`passes were still under way ${drainTimeoutMs} ms after the process was told to stop`));
      await pause(this.#clock, ABANDON_MS, ended.signal);
      if (!ended.signal.aborted) log.error('passes did not end when they were aborted: the process ends without them');
    };
    try {
      await Promise.race([running, bounded()]);
    } finally {
      ended.abort();
      leadership?.signal.removeEventListener('abort', onLost);
    }
  }

  async #serve(): Promise<Endpoints | undefined> {
    const { http, metrics, informers, ready } = this.#options;
    if (!http) return undefined;
    const endpoints = new Endpoints({
      ...http,
      registry: metrics.registry,
      alive: () => ({ ok: true }),
      ready: () => {
        const waiting = informers.filter((informer) => !informer.hasSynced()).map(({ kind }) => kind.plural);
        if (waiting.length > 0) return { ok: false, why: `waiting for the first list of ${waiting.sort().join(', ')}` };
        return ready?.() ?? { ok: true };
      },
    });
    this.#httpAddress = await endpoints.listen();
    return endpoints;
  }
}

/** Aborted by the first SIGTERM or SIGINT. */
export function terminationSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => controller.abort(new Error(`${signal} received`)));
  }
  return controller.signal;
}
