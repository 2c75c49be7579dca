import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../../../src/kube/index.ts';

/** A clock that stands still until the test moves it. Timers fire in the order of their time, then of their making. */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  readonly #timers = new Set<{ dueAtMs: number; fire: () => void }>();
  #nowMs = 0;

  constructor(start = new Date('2030-01-01T00:00:00Z')) {
    this.#startMs = start.getTime();
  }

  now(): Date {
    return new Date(this.#startMs + this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer = { dueAtMs: this.#nowMs + delayMs, fire: callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.setTimeout(resolve, delayMs);
    signal?.addEventListener('abort', () => {
      timer.cancel();
      reject(signal.reason);
    });
    await promise;
  }

  /** Timers that have not fired. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Lets time pass, and after each timer everything that follows from it. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await nextTurn();
    for (let next = this.#nextBefore(endMs); next; next = this.#nextBefore(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueAtMs);
      next.fire();
      await nextTurn();
    }
    this.#nowMs = endMs;
  }

  /** The process stands still while time passes: no timer fires. */
  freeze(ms: number): void {
    this.#nowMs += ms;
  }

  #nextBefore(endMs: number): { dueAtMs: number; fire: () => void } | undefined {
    const due = [...this.#timers].filter((timer) => timer.dueAtMs <= endMs);
    return due.sort((a, b) => a.dueAtMs - b.dueAtMs)[0];
  }
}
