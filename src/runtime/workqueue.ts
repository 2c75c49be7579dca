import { type BackoffPolicy, backoffDelayMs, type Clock, systemClock, type Timer } from '../kube/index.ts';

export interface WorkQueueOptions {
  clock?: Clock;
  /** Absent: 10 ms doubling to 60 s, a fifth of it random. */
  backoff?: BackoffPolicy;
  /** Source of jitter in [0, 1). Absent: Math.random. */
  random?: () => number;
}

const DEFAULT_BACKOFF: BackoffPolicy = { initialMs: 10, maxMs: 60_000, factor: 2, jitterFraction: 0.2 };

/**
 * Keys waiting for work: each at most once, first come first served, and never handed out while it is being worked on.
 * Its memory is bounded by the number of distinct keys.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #backoff: BackoffPolicy;
  readonly #random: () => number;
  readonly #due = new Set<string>();
  readonly #delayed = new Map<string, { dueAtMs: number; timer: Timer }>();
  readonly #inWork = new Set<string>();
  /** Became due while in work. */
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF;
    this.#random = options.random ?? Math.random;
  }

  /** Due now. A key that waits with a delay becomes due now; one in work is handed out again after `finish`. */
  add(key: string): void {
    if (this.#closed) return;
    this.#cancelDelay(key);
    if (this.#inWork.has(key)) this.#again.add(key);
    else this.#due.add(key);
    this.#handOut();
  }

  /** Due after `delayMs`, or earlier if it already is. */
  addAfter(key: string, delayMs: number): void {
    const dueAtMs = this.#clock.monotonicMs() + Math.max(delayMs, 0);
    if (this.#closed || this.#due.has(key) || this.#again.has(key)) return;
    if ((this.#delayed.get(key)?.dueAtMs ?? Number.POSITIVE_INFINITY) <= dueAtMs) return;
    this.#cancelDelay(key);
    this.#delayed.set(key, { dueAtMs, timer: this.#clock.setTimeout(() => this.add(key), Math.max(delayMs, 0)) });
  }

  /**
   * Due after this key's backoff, which grows with every call until `forget`, but not before `atLeastMs`.
   * @returns the delay in milliseconds.
   */
  addWithBackoff(key: string, atLeastMs = 0): number {
    const failures = this.failuresOf(key) + 1;
    this.#failures.set(key, failures);
    const delayMs = Math.max(backoffDelayMs(this.#backoff, failures, this.#random), atLeastMs);
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The key's failures are over: its next backoff starts small. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  failuresOf(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The key that became due first, waiting for one if need be; undefined once the queue is closed. */
  async take(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#takers.push(resolve);
    this.#handOut();
    return await promise;
  }

  /** The work on a key from `take` is over. */
  finish(key: string): void {
    this.#inWork.delete(key);
    if (this.#again.delete(key)) this.#due.add(key);
    this.#handOut();
  }

  /** Hands out nothing more and drops what waits. Work under way goes on. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
    this.#due.clear();
    this.#again.clear();
    this.#handOut();
  }

  get depth(): { due: number; delayed: number; inWork: number } {
    return { due: this.#due.size + this.#again.size, delayed: this.#delayed.size, inWork: this.#inWork.size };
  }

  #handOut(): void {
    if (this.#closed) {
      for (const taker of this.#takers.splice(0)) taker(undefined);
      return;
    }
    for (const key of this.#due) {
      const taker = this.#takers.shift();
      if (!taker) return;
      this.#due.delete(key);
      this.#inWork.add(key);
      taker(key);
    }
  }

  #cancelDelay(key: string): void {
    this.#delayed.get(key)?.timer.cancel();
    this.#delayed.delete(key);
  }
}
