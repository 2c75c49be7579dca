/** Whether the machine has power, as its BMC tells. One that is on its way between the two counts as `On`. */
export type PowerState = 'On' | 'Off';

export interface PowerReading {
  state: PowerState;
  /** SMBIOS UUID of the machine that the device says it controls, lower case. Absent: not told, or not sure in which order of bytes. */
  systemUUID?: string;
}

/**
 * What can read and switch the power of one machine, whatever state that machine is in: its BMC.
 * Each call ends within the device's time limit. It rejects with a PowerError, or with the signal's reason once that is aborted.
 */
export interface PowerDevice {
  /** What the device reads now. */
  readState(signal: AbortSignal): Promise<PowerReading>;
  /**
   * Takes the power away at once, without asking the operating system. Resolves when the device took the order, or when the
   * machine was off already. That it took the order is no proof: read the state.
   */
  forceOff(signal: AbortSignal): Promise<void>;
  /** Resolves when the device took the order, or when the machine was on already. */
  powerOn(signal: AbortSignal): Promise<void>;
}
