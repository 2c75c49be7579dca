import type { Clock, Timer } from './clock.ts';
import { KubeError } from './error.ts';
import type { WriteGuard } from './write-guard.ts';

/**
 * A term of leadership: `KubeClient.guardedBy(leadership)` lets writes leave only while it lasts, and its signal is
 * aborted when it ends.
 */
export interface Leadership extends WriteGuard {
  readonly identity: string;
  /** `leaseTransitions` of the lease: grows with every acquisition. */
  readonly term: number;
}

/** The leader's own view of its term, by its own monotonic clock. */
export class Term implements Leadership {
  readonly identity: string;
  readonly term: number;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  #deadlineMs = 0;
  #timer: Timer | undefined;
  #over: { how: 'lost' | 'ended'; why: string } | undefined;

  constructor(identity: string, term: number, clock: Clock) {
    this.identity = identity;
    this.term = term;
    this.#clock = clock;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  isLost(): boolean {
    return this.#over?.how === 'lost';
  }

  remainingMs(what: string): number {
    const remainingMs = this.#deadlineMs - this.#clock.monotonicMs();
    // A process that was frozen may come here before its timers fire.
    if (remainingMs <= 0) this.#expire();
    if (!this.#over) return remainingMs;
    throw leadershipLost(`${what}: not sent, because ${this.identity} is no longer the leader: ${this.#over.why}`);
  }

  /** A renewal succeeded. Comes too late once the term is over. */
  extendTo(deadlineMs: number): void {
    if (this.#over) return;
    this.#deadlineMs = deadlineMs;
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimeout(() => this.#expire(), Math.max(deadlineMs - this.#clock.monotonicMs(), 0));
  }

  /** The first reason stands. */
  end(how: 'lost' | 'ended', why: string): void {
    if (this.#over) return;
    this.#over = { how, why };
    this.#timer?.cancel();
    this.#controller.abort(leadershipLost(`${this.identity} is no longer the leader: ${why}`));
  }

  #expire(): void {
    this.end('lost', 'its lease could not be renewed in time');
  }
}

function leadershipLost(message: string): KubeError {
  return new KubeError({ code: 0, reason: 'LeadershipLost', message });
}
