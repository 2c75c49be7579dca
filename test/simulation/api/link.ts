import type { Random } from '../engine/random.ts';

/** How soon TCP sends again what was not acknowledged. */
export const RETRANSMIT_MS = 200;

/** How a client reaches the API server, and how it is let down. */
export interface LinkFaults {
  /** Open: calls come through. Refused: no connection. Dropped: requests vanish, and are waited for in vain. */
  state: 'Open' | 'Refused' | 'Dropped';
  /** Added to the way of each request and each answer, in milliseconds. */
  delayMs: number;
  /** Added to the way of each watch event: how stale the caches are, in milliseconds. */
  watchDelayMs: number;
  /** Plurals of the kinds whose watch events are late. Undefined: all. */
  watchDelayKinds: readonly string[] | undefined;
  /** Share of the writes that are carried out and whose answer is lost, 0..1. */
  lostAnswers: number;
  /** Share of the writes that the server fails without carrying them out, 0..1. */
  failedWrites: number;
}

/** Each way of a request or an answer, and of a watch event, in milliseconds. */
const HALF_TRIP_MS = 1;

const HEALTHY: LinkFaults = {
  state: 'Open',
  delayMs: 0,
  watchDelayMs: 0,
  watchDelayKinds: undefined,
  lostAnswers: 0,
  failedWrites: 0,
};

/** The way between one client and the API server. */
export class Link {
  readonly faults: LinkFaults = { ...HEALTHY };
  /** It has ever been less than healthy. */
  wasFaulty = false;
  readonly #random: Random;
  readonly #listeners = new Set<() => void>();

  constructor(random: Random) {
    this.#random = random;
  }

  set(change: Partial<LinkFaults>): void {
    Object.assign(this.faults, change);
    this.wasFaulty ||= change !== HEALTHY;
    for (const listener of [...this.#listeners]) listener();
  }

  heal(): void {
    this.set(HEALTHY);
  }

  /** Told when anything about it has changed. Returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  halfTripMs(): number {
    return HALF_TRIP_MS + this.faults.delayMs;
  }

  watchTripMs(plural: string): number {
    const { watchDelayMs, watchDelayKinds } = this.faults;
    const isLate = watchDelayKinds === undefined || watchDelayKinds.includes(plural);
    return HALF_TRIP_MS + (isLate ? watchDelayMs : 0);
  }

  losesAnswer(): boolean {
    return this.faults.lostAnswers > 0 && this.#random() < this.faults.lostAnswers;
  }

  failsWrite(): boolean {
    return this.faults.failedWrites > 0 && this.#random() < this.faults.failedWrites;
  }
}
