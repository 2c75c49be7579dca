import type { Clock, Timer } from '../../../src/kube/index.ts';
import type { Timeline } from './timeline.ts';

/** When virtual time begins. */
export const EPOCH_MS = Date.parse('2030-01-01T00:00:00Z');

/** The wall clock of a machine, which somebody may set; what its processes measure times with goes on right. */
export interface WallClock {
  /** How far it is ahead of the world's. */
  aheadMs: number;
}

/**
 * A process of the simulated world: everything that it learns reaches it through `deliver`. So it can be stopped at any
 * moment and go on later, or be killed: then nothing reaches it any more, and nothing of it happens.
 */
export class Process {
  readonly name: string;
  readonly clock: Clock;
  readonly #timeline: Timeline;
  readonly #pauses = new Set<string>();
  #held: (() => void)[] = [];
  #isDead = false;
  readonly #onKill: (() => void)[] = [];
  readonly #ending = new AbortController();

  /** @param wallClock of its machine. Absent: it is right */
  constructor(name: string, timeline: Timeline, wallClock: Readonly<WallClock> = { aheadMs: 0 }) {
    this.name = name;
    this.#timeline = timeline;
    this.clock = new ProcessClock(this, timeline, wallClock);
    // Node keeps signals that others are made of, and with them all that waits for these, until they are aborted.
    timeline.onEnd(() => {
      this.kill();
      this.#ending.abort();
    });
  }

  /** Aborted at the end of the world, for the sake of memory: a process of this world is killed, not asked to end. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isPaused(): boolean {
    return this.#pauses.size > 0;
  }

  /** Something reaches the process: at once, when it goes on, or never. */
  deliver(callback: () => void): void {
    if (this.#isDead) return;
    if (this.isPaused) this.#held.push(callback);
    else callback();
  }

  /** Stops it until every cause to do so has gone. */
  pause(cause: string): void {
    this.#pauses.add(cause);
  }

  resume(cause: string): void {
    if (!this.#pauses.delete(cause) || this.isPaused) return;
    const held = this.#held;
    this.#held = [];
    for (const callback of held) this.#timeline.after(0, () => this.deliver(callback));
  }

  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#held = [];
    for (const callback of this.#onKill.splice(0)) callback();
  }

  /** Told when it is killed, so that what others keep for it can go. */
  onKill(callback: () => void): void {
    if (this.#isDead) callback();
    else this.#onKill.push(callback);
  }

  /** Resolves after `delayMs`, for work that takes its time. */
  async spend(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#timeline.after(delayMs, () => this.deliver(resolve));
    await promise;
  }
}

/** Virtual time as one process sees it: it goes on while the process is stopped, and its timers fire late. */
class ProcessClock implements Clock {
  readonly #process: Process;
  readonly #timeline: Timeline;
  readonly #wallClock: Readonly<WallClock>;

  constructor(process: Process, timeline: Timeline, wallClock: Readonly<WallClock>) {
    this.#process = process;
    this.#timeline = timeline;
    this.#wallClock = wallClock;
  }

  now(): Date {
    return new Date(EPOCH_MS + this.#timeline.nowMs + this.#wallClock.aheadMs);
  }

  monotonicMs(): number {
    return this.#timeline.nowMs;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    let isCancelled = false;
    const fire = () => {
      if (!isCancelled) callback();
    };
    const timer = this.#timeline.after(delayMs, () => this.#process.deliver(fire));
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.setTimeout(resolve, delayMs);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }
}
