import type { Watchdog } from '../../../src/host/index.ts';
import type { Timer } from '../../../src/kube/index.ts';
import type { Timeline } from '../engine/timeline.ts';

const TIMEOUT_MS = 8_000;

/** A device that resets its machine when it is not fed in time, whatever the machine does meanwhile, once somebody has opened it. */
export class SimulatedWatchdog {
  readonly #timeline: Timeline;
  readonly #reset: () => void;
  #timer: Timer | undefined;

  constructor(timeline: Timeline, reset: () => void) {
    this.#timeline = timeline;
    this.#reset = reset;
  }

  open(): Watchdog {
    this.#feed();
    return { timeoutMs: TIMEOUT_MS, feed: () => this.#feed(), disarm: () => this.stop() };
  }

  /** Also what a machine without power does. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #feed(): void {
    this.stop();
    this.#timer = this.#timeline.after(TIMEOUT_MS, this.#reset);
  }
}
