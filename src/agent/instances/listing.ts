import type { Logger } from 'pino';
import type { Clock, Timer } from '../../runtime/index.ts';
import type { DomainTable } from './domain-table.ts';

/** What happens together is listed once. */
const DELAY_MS = 100;
const RETRY_MS = 2_000;

/** Lists all domains anew whenever the table may be wrong, and now and then, until it succeeds. */
export class Listing {
  readonly #table: DomainTable;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #intervalMs: number;
  readonly #onListed: (becameCurrent: boolean) => void;
  #timer: Timer | undefined;
  #dueMs = Number.POSITIVE_INFINITY;
  #isStopped = false;
  /** Which time the table became current was told last. */
  #told = 0;

  constructor(options: {
    table: DomainTable;
    clock: Clock;
    log: Logger;
    intervalMs: number;
    /** @param becameCurrent whether the table proved nothing before */
    onListed: (becameCurrent: boolean) => void;
  }) {
    this.#table = options.table;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#intervalMs = options.intervalMs;
    this.#onListed = options.onListed;
  }

  soon(): void {
    this.#schedule(DELAY_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** An earlier date wins. */
  #schedule(delayMs: number): void {
    const dueMs = this.#clock.monotonicMs() + delayMs;
    if (this.#isStopped || dueMs >= this.#dueMs) return;
    this.#timer?.cancel();
    this.#dueMs = dueMs;
    this.#timer = this.#clock.setTimeout(() => void this.#list(), delayMs);
  }

  async #list(): Promise<void> {
    this.#dueMs = Number.POSITIVE_INFINITY;
    try {
      await this.#table.resync();
      const { timesCurrent } = this.#table;
      const becameCurrent = timesCurrent !== this.#told;
      this.#told = timesCurrent;
      this.#onListed(becameCurrent);
      this.#schedule(this.#intervalMs);
    } catch (err) {
      this.#log.warn({ err, afterMs: RETRY_MS }, 'cannot list the domains; trying again');
      this.#schedule(RETRY_MS);
    }
  }
}
