import type { Logger } from 'pino';
import {
  type AnyInformer,
  type Change,
  type Clock,
  KubeError,
  type KubeObject,
  type ObjectKey,
  type SharedInformer,
  systemClock,
} from '../kube/index.ts';
import { CodedError, toCodedError } from './coded-error.ts';
import type { Metrics } from './metrics.ts';
import type { Result } from './result.ts';
import { WorkQueue } from './workqueue.ts';

/** Which keys of a controller a change of a cached object concerns. */
export interface Source {
  informer: AnyInformer;
  /** Enqueues the keys of what is cached now and of every change, until the returned function is called. */
  subscribe(enqueue: (key: ObjectKey) => void): () => void;
}

/** Maps changes of an informer to keys; without `keysOf`, the object's own key. */
export function source<T extends KubeObject>(
  informer: SharedInformer<T>,
  keysOf: (change: Change<T>) => readonly ObjectKey[] = (change) => [change.key],
): Source {
  return { informer, subscribe: (enqueue) => informer.onChange((change) => keysOf(change).forEach(enqueue)) };
}

export interface ReconcileContext {
  /** Aborted when the pass takes too long or the process or its leadership ends. Hand it to every call. */
  signal: AbortSignal;
  /** Carries controller and key. */
  log: Logger;
  clock: Clock;
}

export interface ControllerOptions {
  /** Lower-case, e.g. `virtualmachine`; label of logs and metrics. */
  name: string;
  /** Keys in work at once. Absent: 4. */
  concurrency?: number;
  sources: readonly Source[];
  reconcile: (key: ObjectKey, context: ReconcileContext) => Promise<Result>;
  log: Logger;
  metrics: Metrics;
  clock?: Clock;
  /** One pass is aborted after this. Absent: 2 min. */
  reconcileTimeoutMs?: number;
}

/** Calls `reconcile` for every key that something happened to, until the world is as wanted. */
export class Controller {
  readonly name: string;
  readonly sources: readonly Source[];
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  readonly #queue: WorkQueue;

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.sources = options.sources;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#queue = new WorkQueue({ clock: this.#clock });
    options.metrics.observeQueue(this.name, () => this.#queue.depth);
  }

  /** Asks for a pass from outside the API, e.g. for a libvirt event. */
  enqueue(key: ObjectKey): void {
    this.#queue.add(key);
  }

  enqueueAfter(key: ObjectKey, delayMs: number): void {
    this.#queue.addAfter(key, delayMs);
  }

  /** Works until `stop` is aborted, then lets passes under way end; `kill` aborts them. */
  async run(stop: AbortSignal, kill: AbortSignal): Promise<void> {
    const unsubscribe = this.sources.map((each) => each.subscribe((key) => this.#queue.add(key)));
    const end = () => this.#queue.close();
    const signals = [stop, kill];
    for (const signal of signals) signal.addEventListener('abort', end, { once: true });
    if (signals.some((signal) => signal.aborted)) end();
    try {
      await Promise.all(Array.from({ length: this.#options.concurrency ?? 4 }, () => this.#work(kill)));
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', end);
      for (const each of unsubscribe) each();
    }
  }

  async #work(kill: AbortSignal): Promise<void> {
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      await this.#pass(key, kill);
      this.#queue.finish(key);
    }
  }

  async #pass(key: ObjectKey, kill: AbortSignal): Promise<void> {
    const log = this.#options.log.child({ controller: this.name, key });
    const startedMs = this.#clock.monotonicMs();
    const ended = (outcome: Parameters<Metrics['onPass']>[1]) =>
      this.#options.metrics.onPass(this.name, outcome, (this.#clock.monotonicMs() - startedMs) / 1000);
    try {
      const result = await this.#reconcile(key, kill, log);
      this.#queue.forget(key);
      if (result.requeue) this.#queue.addAfter(key, result.afterMs);
      if (result.requeue) log.debug({ afterMs: result.afterMs, why: result.why }, 'looking again later');
      ended(result.requeue ? 'requeued' : 'done');
    } catch (thrown) {
      const error = toCodedError(thrown);
      ended(error.code);
      if (kill.aborted) log.info({ code: error.code, err: error }, 'pass ended with the process');
      else this.#retry(key, error, log);
    }
  }

  async #reconcile(key: ObjectKey, kill: AbortSignal, log: Logger): Promise<Result> {
    const timeoutMs = this.#options.reconcileTimeoutMs ?? 120_000;
    const controller = new AbortController();
    const onKill = () => controller.abort(kill.reason);
    let late: CodedError | undefined;
    const timer = this.#clock.setTimeout(() => {
      const message = `${this.name} ${key}: the pass was ended after ${timeoutMs / 1000} s; it is tried again.`;
      late = new CodedError('Timeout', message);
      controller.abort(late);
    }, timeoutMs);
    kill.addEventListener('abort', onKill, { once: true });
    if (kill.aborted) onKill();
    try {
      return await this.#options.reconcile(key, { signal: controller.signal, log, clock: this.#clock });
    } catch (error) {
      throw late !== undefined && controller.signal.reason === late ? late : error;
    } finally {
      timer.cancel();
      kill.removeEventListener('abort', onKill);
    }
  }

  #retry(key: ObjectKey, error: CodedError, log: Logger): void {
    const { code, treatment } = error;
    const failures = this.#queue.failuresOf(key) + 1;
    switch (treatment.class) {
      case 'terminal':
        this.#queue.forget(key);
        log.error({ code, err: error }, 'failed; not tried again until something changes');
        return;
      case 'waiting':
        this.#queue.forget(key);
        this.#queue.addAfter(key, treatment.requeueAfterMs);
        log.info({ code, why: error.message, afterMs: treatment.requeueAfterMs }, 'waiting');
        return;
      case 'transient': {
        // An overloaded API server says how long to stay away (429 with Retry-After).
        const askedMs = error.cause instanceof KubeError ? error.cause.retryAfterMs : undefined;
        const afterMs = this.#queue.addWithBackoff(key, askedMs);
        // A stale cache is everyday life and heals by itself.
        if (code === 'ApiConflict') log.debug({ code, failures, afterMs, why: error.message }, 'trying again');
        else log.warn({ code, failures, afterMs, err: error }, 'failed, trying again');
        return;
      }
    }
  }
}
