import type { Reconnect } from './options.ts';

/** The delays between attempts to connect: doubling, capped, each drawn from its upper half. */
export class Backoff {
  readonly #options: Reconnect;
  #attempt = 0;

  constructor(options: Reconnect) {
    this.#options = options;
  }

  nextDelayMs(): number {
    const { firstDelayMs, maxDelayMs } = this.#options;
    const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** this.#attempt);
    this.#attempt++;
    return delayMs * (0.5 + Math.random() / 2);
  }

  reset(): void {
    this.#attempt = 0;
  }
}
