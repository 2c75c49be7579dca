import type { PowerDevice, PowerReading, PowerState } from '../device.ts';
import { PowerError } from '../error.ts';
import { quote } from '../quote.ts';
import { failureOf, stateOf, systemGuidOf, withoutNoise } from './answers.ts';
import { type Printed, runIpmitool } from './ipmitool.ts';

export interface IpmiDeviceOptions {
  /** Host name or IP address of the BMC. */
  address: string;
  /** UDP port of RMCP+; 623 is usual. */
  port: number;
  /** At most 16 bytes; needs the privilege Operator, no more. */
  username: string;
  /** At most 20 bytes. */
  password: string;
  /** Cipher suite ID (IPMI 2.0, table 22-20). Absent: ipmitool asks the BMC first, which takes 3 s more where that does not answer. */
  cipherSuite?: number;
  /** Of each call. A lost packet costs 1 s. Where nobody answers: `Unreachable` after 6 s, `TimedOut` when this is over earlier. */
  timeoutMs: number;
}

interface Order {
  readonly verb: 'off' | 'on';
  readonly wanted: PowerState;
  /** What ipmitool prints when the BMC took it. */
  readonly taken: RegExp;
}

const OFF: Order = { verb: 'off', wanted: 'Off', taken: /^Chassis Power Control: Down\/Off/m };
const ON: Order = { verb: 'on', wanted: 'On', taken: /^Chassis Power Control: Up\/On/m };

/** A BMC that speaks IPMI 2.0 over LAN (RMCP+), through the program `ipmitool`. Nothing is kept open between calls. */
export function ipmiDevice(options: IpmiDeviceOptions): PowerDevice {
  const name = `BMC ${options.address}:${options.port} (IPMI)`;

  async function readState(signal: AbortSignal): Promise<PowerReading> {
    const endsAt = performance.now() + options.timeoutMs;
    const what = 'read the state';
    const printed = await ask(what, ['chassis', 'power', 'status'], options.timeoutMs, signal);
    const state = stateOf(printed.stdout) ?? fail(what, printed);
    const systemUUID = await readSystemUuid(endsAt - performance.now(), signal);
    return { state, ...(systemUUID !== undefined && { systemUUID }) };
  }

  /** Undefined also when it cannot be read: many BMCs have none, and the state is what counts. */
  async function readSystemUuid(timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
    try {
      return systemGuidOf((await ask('read the GUID', ['mc', 'guid', 'dump'], timeoutMs, signal)).stdout);
    } catch (error) {
      if (error instanceof PowerError) return undefined;
      throw error;
    }
  }

  async function give({ verb, wanted, taken }: Order, signal: AbortSignal): Promise<void> {
    const endsAt = performance.now() + options.timeoutMs;
    const what = `power ${verb}`;
    const printed = await ask(what, ['chassis', 'power', verb], options.timeoutMs, signal);
    if (taken.test(printed.stdout)) return;
    if (failureOf(printed.stderr).reason === 'Refused') {
      // Some BMCs refuse to do what is done already.
      const status = await ask(what, ['chassis', 'power', 'status'], endsAt - performance.now(), signal);
      if (stateOf(status.stdout) === wanted) return;
    }
    fail(what, printed);
  }

  async function ask(
    what: string,
    command: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Printed> {
    const output = await runIpmitool({ ...options, timeoutMs: Math.max(timeoutMs, 1) }, command, signal);
    if (output.ended === 'Exited') return output;
    if (output.ended === 'BrokenOff') {
      throw new PowerError('UnexpectedAnswer', `${name}: cannot ${what}: ipmitool broke off: ${output.why}`);
    }
    if (output.ended === 'NotInstalled') {
      throw new PowerError('ToolMissing', `${name}: cannot ${what}: ipmitool is not installed. Install it.`);
    }
    const message = `${name}: cannot ${what}: no answer within ${options.timeoutMs / 1000} s. Check that the BMC runs and can be reached.`;
    throw new PowerError('TimedOut', message);
  }

  function fail(what: string, { stdout, stderr }: Printed): never {
    const { reason, why } = failureOf(stderr);
    const said = quote(withoutNoise(stderr) || stdout, [options.password]);
    throw new PowerError(reason, `${name}: cannot ${what}: ${why} (ipmitool: ${said || 'it said nothing'}).`);
  }

  return {
    readState,
    forceOff: (signal) => give(OFF, signal),
    powerOn: (signal) => give(ON, signal),
  };
}
