import type { Clock } from '../runtime/index.ts';

export interface RepeatOptions {
  /** How long after a pass the next one follows by itself. */
  readonly intervalMs: number;
  /** How long after `wake` the pass begins, so that what comes together is looked at once. Absent: 0. */
  readonly settleMs?: number;
  readonly clock: Clock;
  readonly pass: (signal: AbortSignal) => Promise<void>;
  /** Told about passes that failed; the next one follows all the same. */
  readonly onError: (error: unknown) => void;
}

/** A pass that is made again and again, sooner when woken, and never twice at once. */
export class Repeat {
  readonly #options: RepeatOptions;
  #isWoken = false;
  #isUrgent = false;
  #endSettling: AbortController | undefined;
  #endSleep: (() => void) | undefined;

  constructor(options: RepeatOptions) {
    this.#options = options;
  }

  /** Asks for a pass; one that is under way is followed by another. */
  wake(): void {
    this.#isWoken = true;
    this.#endSleep?.();
  }

  /** The same, without waiting for what may come together with it. */
  wakeAtOnce(): void {
    this.#isUrgent = true;
    this.wake();
    this.#endSettling?.abort();
  }

  /** Resolves when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { pass, onError, settleMs = 0 } = this.#options;
    while (!signal.aborted) {
      this.#isWoken = false;
      this.#isUrgent = false;
      try {
        await pass(signal);
      } catch (error) {
        if (!signal.aborted) onError(error);
      }
      await this.#sleep(signal);
      if (this.#isWoken && !this.#isUrgent && settleMs > 0) await this.#settle(settleMs, signal);
    }
  }

  async #settle(settleMs: number, signal: AbortSignal): Promise<void> {
    this.#endSettling = new AbortController();
    const either = AbortSignal.any([signal, this.#endSettling.signal]);
    await this.#options.clock.sleep(settleMs, either).catch(() => undefined);
    this.#endSettling = undefined;
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (this.#isWoken || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimeout(() => end(), this.#options.intervalMs);
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        this.#endSleep = undefined;
        resolve();
      };
      this.#endSleep = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }
}
