import type { KubeApi } from './api.ts';
import { type Clock, pause, systemClock } from './clock.ts';
import { KubeError } from './error.ts';
import { LeaderLease } from './leader-lease.ts';
import type { ObjectRef } from './object.ts';
import { type Leadership, Term } from './term.ts';

export interface LeaderElectionOptions {
  client: KubeApi;
  lease: Required<ObjectRef>;
  /** Unique per candidate, see `leaderIdentity`. */
  identity: string;
  /** How long others wait after the last renewal they saw; whole seconds. Absent: 15 s. */
  leaseDurationMs?: number;
  /** The leader stops itself when it could not renew for this long; < leaseDurationMs. Absent: two thirds of it. */
  renewDeadlineMs?: number;
  /** Pause between tries; < renewDeadlineMs. Absent: 2/15 of leaseDurationMs. */
  retryPeriodMs?: number;
  clock?: Clock;
  /** Source of jitter in [0, 1). Absent: Math.random. */
  random?: () => number;
  /** Told about every call that failed; the elector itself goes on. */
  onError?: (error: unknown) => void;
  /** Told the holder's identity whenever it changes. */
  onNewLeader?: (identity: string) => void;
}

/**
 * Elects one leader by a Lease. The leader stops itself `renewDeadlineMs` after it *sent* its last successful renewal,
 * others take over `leaseDurationMs` after they *saw* it, so by any pair of running clocks the first comes before the
 * second. A process that was frozen in between is stopped by the server: docs/adr/0004-kube-transport.md, "Fencing".
 */
export class LeaderElector {
  readonly #options: LeaderElectionOptions;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #clock: Clock;
  readonly #lease: LeaderLease;
  #lastHolder: string | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? (this.#leaseDurationMs * 2) / 3;
    this.#retryPeriodMs = options.retryPeriodMs ?? (this.#leaseDurationMs * 2) / 15;
    if (this.#leaseDurationMs < 1000 || this.#leaseDurationMs % 1000 !== 0) {
      throw new Error(`leaseDurationMs is ${this.#leaseDurationMs}, but a Lease counts whole seconds, 1 at least.`);
    }
    if (!(this.#retryPeriodMs < this.#renewDeadlineMs && this.#renewDeadlineMs < this.#leaseDurationMs)) {
      throw new Error(
        `Leader election needs retryPeriodMs < renewDeadlineMs < leaseDurationMs, not ` +
          `${this.#retryPeriodMs} < ${this.#renewDeadlineMs} < ${this.#leaseDurationMs}.`,
      );
    }
    this.#clock = options.clock ?? systemClock;
    this.#lease = new LeaderLease({
      client: options.client,
      lease: options.lease,
      identity: options.identity,
      leaseDurationMs: this.#leaseDurationMs,
      clock: this.#clock,
    });
  }

  /**
   * Waits for the lease and runs `lead`, which must end soon after its leadership's signal is aborted, and may go on
   * after `signal` is, to bring its work to an end: the lease is renewed until it returns, and then released.
   * @param signal ends the waiting for the lease.
   * @returns why it ended. Rejects with what `lead` rejected with.
   */
  async run(lead: (leadership: Leadership) => Promise<void>, signal: AbortSignal): Promise<'lost' | 'released'> {
    const acquired = await this.#acquire(signal);
    if (!acquired) return 'released';
    const term = new Term(this.#options.identity, acquired.term, this.#clock);
    term.extendTo(acquired.sentAtMs + this.#renewDeadlineMs);
    const renewing = this.#renewUntilOver(term);
    try {
      await lead(term);
    } finally {
      term.end('ended', 'its work is done');
      await renewing;
      if (!term.isLost()) await this.#release(term.term);
    }
    return term.isLost() ? 'lost' : 'released';
  }

  async #acquire(signal: AbortSignal): Promise<{ term: number; sentAtMs: number } | undefined> {
    while (!signal.aborted) {
      let waitMs = this.#retryPeriodMs * (0.8 + 0.4 * (this.#options.random ?? Math.random)());
      try {
        const result = await this.#lease.acquire({ signal, timeoutMs: this.#renewDeadlineMs });
        this.#noteHolder();
        if (result.held) return result;
        waitMs = Math.min(waitMs, result.remainingMs);
      } catch (error) {
        // Conflict: another candidate was faster.
        if (!signal.aborted && !(error instanceof KubeError && error.isConflict())) this.#options.onError?.(error);
      }
      await pause(this.#clock, waitMs, signal);
    }
    return undefined;
  }

  async #renewUntilOver(term: Term): Promise<void> {
    for (;;) {
      await pause(this.#clock, this.#retryPeriodMs, term.signal);
      if (term.signal.aborted) return;
      try {
        const call = { signal: term.signal, timeoutMs: Math.max(this.#renewDeadlineMs / 2, 1000) };
        const sentAtMs = await this.#lease.renew(term.term, call);
        if (sentAtMs === undefined) term.end('lost', `the lease is held by "${this.#lease.holder}"`);
        else term.extendTo(sentAtMs + this.#renewDeadlineMs);
        this.#noteHolder();
      } catch (error) {
        if (!term.signal.aborted) this.#options.onError?.(error);
      }
    }
  }

  async #release(term: number): Promise<void> {
    try {
      await this.#lease.release(term, { timeoutMs: this.#retryPeriodMs });
    } catch (error) {
      // It expires by itself.
      this.#options.onError?.(error);
    }
  }

  #noteHolder(): void {
    const holder = this.#lease.holder;
    if (holder === this.#lastHolder || holder === '') return;
    this.#lastHolder = holder;
    this.#options.onNewLeader?.(holder);
  }
}
