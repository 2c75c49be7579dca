import { type PowerDevice, PowerError, type PowerReading } from '../../../src/power/index.ts';
import type { Process } from '../engine/process.ts';
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
  /** It takes orders, does not carry them out, and tells the truth about the power. */
  ignoresOrders: boolean;
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
  readonly faults: BmcFaults = {
    unreachable: false,
    wrongPassword: false,
    delayMs: 0,
    lies: false,
    ignoresOrders: false,
  };
  readonly systemUUID: string;
  /** It has said of a host that was on that it is off. */
  hasLied = false;
  readonly #host: Powered;
  readonly #timeline: Timeline;

  constructor(host: Powered, timeline: Timeline, systemUUID = '') {
    this.#host = host;
    this.#timeline = timeline;
    this.systemUUID = systemUUID;
  }

  /** @throws PowerError when it does not answer, or refuses */
  async powerState(isReachable = () => true): Promise<PowerState> {
    await this.#answer(isReachable);
    if (this.faults.lies && this.#host.power === 'On') this.hasLied = true;
    return this.faults.lies ? 'Off' : this.#host.power;
  }

  /**
   * Resolves when the BMC says that it is done.
   * @param onOrder told when it has taken the order, before it carries it out
   * @throws PowerError when it does not answer, or refuses
   */
  async setPower(wanted: PowerState, isReachable = () => true, onOrder = () => {}): Promise<void> {
    await this.#answer(isReachable);
    onOrder();
    if (this.faults.lies || this.faults.ignoresOrders) return;
    if (wanted === 'Off') this.#host.powerOff();
    else this.#host.powerOn();
  }

  async #answer(isReachable: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { unreachable, delayMs } = this.faults;
    const isSilent = unreachable || !isReachable();
    const takesMs = ANSWER_MS + delayMs;
    this.#timeline.after(isSilent ? TIMEOUT_MS : Math.min(takesMs, TIMEOUT_MS), resolve);
    await promise;
    if (isSilent) throw new PowerError('Unreachable', 'the BMC does not answer');
    if (takesMs > TIMEOUT_MS) throw new PowerError('TimedOut', 'the BMC takes too long to answer');
    if (this.faults.wrongPassword) throw new PowerError('Unauthorized', 'the BMC refuses the password');
  }
}

export interface BmcDeviceOptions {
  readonly bmc: SimulatedBmc;
  /** Who uses it. */
  readonly process: Process;
  readonly isReachable: () => boolean;
  /** Told when an order to cut the power leaves, and when the BMC has taken it. */
  readonly onSend: () => void;
  readonly onOrder: () => void;
}

/** A BMC as one process of an operator uses it. What the BMC has taken it carries out, whether the process hears of it or not. */
export function bmcDevice({ bmc, process, isReachable, onSend, onOrder }: BmcDeviceOptions): PowerDevice {
  const hear = <T>(answer: Promise<T>, signal: AbortSignal): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (how: () => void) =>
      process.deliver(() => {
        signal.removeEventListener('abort', onAbort);
        how();
      });
    answer.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
    return promise;
  };
  const order = (wanted: PowerState, signal: AbortSignal) => {
    signal.throwIfAborted();
    if (wanted === 'Off') onSend();
    return hear(bmc.setPower(wanted, isReachable, wanted === 'Off' ? onOrder : undefined), signal);
  };
  return {
    readState: async (signal): Promise<PowerReading> => {
      signal.throwIfAborted();
      return { state: await hear(bmc.powerState(isReachable), signal), systemUUID: bmc.systemUUID };
    },
    forceOff: async (signal) => await order('Off', signal),
    powerOn: async (signal) => await order('On', signal),
  };
}
