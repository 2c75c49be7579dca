import type { Timeline } from '../engine/timeline.ts';

export type PowerState = 'On' | 'Off';

/** What is wrong with a BMC. */
export interface BmcFaults {
  unreachable: boolean;
  wrongPassword: boolean;
  /** Before each answer, in milliseconds. */
  delayMs: number;
  /** It says that the power is off, or was switched off, and has done nothing. */
  lies: boolean;
}

/** What a BMC can do to its host. */
export interface Powered {
  readonly power: PowerState;
  powerOff(): void;
  powerOn(): void;
}

const ANSWER_MS = 200;
const TIMEOUT_MS = 10_000;

/** The management controller of one host: switches its power, whatever the host itself does. */
export class SimulatedBmc {
  readonly faults: BmcFaults = { unreachable: false, wrongPassword: false, delayMs: 0, lies: false };
  readonly #host: Powered;
  readonly #timeline: Timeline;

  constructor(host: Powered, timeline: Timeline) {
    this.#host = host;
    this.#timeline = timeline;
  }

  /** @throws Error when it does not answer, or refuses */
  async powerState(): Promise<PowerState> {
    await this.#answer();
    return this.faults.lies ? 'Off' : this.#host.power;
  }

  /** Resolves when the BMC says that it is done. @throws Error when it does not answer, or refuses */
  async setPower(wanted: PowerState): Promise<void> {
    await this.#answer();
    if (this.faults.lies) return;
    if (wanted === 'Off') this.#host.powerOff();
    else this.#host.powerOn();
  }

  async #answer(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { unreachable, delayMs } = this.faults;
    this.#timeline.after(unreachable ? TIMEOUT_MS : ANSWER_MS + delayMs, resolve);
    await promise;
    if (unreachable) throw new Error('the BMC does not answer');
    if (this.faults.wrongPassword) throw new Error('the BMC refuses the password');
  }
}
