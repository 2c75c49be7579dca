import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { confirmOff, ipmiDevice, type PowerDevice, type PowerErrorReason } from '../../../src/power/index.ts';
import { systemClock } from '../../../src/runtime/index.ts';
import { IPMI_CIPHER_SUITE, startIpmiSimulator } from '../../lab/bmc/simulators.ts';
import { signalProcess } from '../../lab/proc.ts';
import type { ProcessRecord } from '../../lab/processes.ts';
import { freePort, PASSWORD, type Rack, startRack, type TestMachine, USERNAME } from './simulators.ts';

const ONE = { name: 'one', uuid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8' };
const signal = () => AbortSignal.timeout(30_000);

let rack: Rack;
let port: number;
let simulator: ProcessRecord;
let one: TestMachine;

beforeAll(async () => {
  rack = await startRack('one');
  port = await freePort();
  simulator = await startIpmiSimulator({
    labFolder: rack.folder,
    name: 'bmc',
    address: '127.0.0.1',
    port,
    username: USERNAME,
    password: PASSWORD,
    board: rack.board,
    machine: ONE,
  });
  one = rack.machines.get('one') ?? expect.fail('the rack has no machine');
});
afterAll(() => rack.remove());
beforeEach(() => Object.assign(one, { power: true, isStuck: false }));

function device(options: Partial<Parameters<typeof ipmiDevice>[0]> = {}): PowerDevice {
  const common = { address: '127.0.0.1', port, username: USERNAME, password: PASSWORD };
  return ipmiDevice({ ...common, cipherSuite: IPMI_CIPHER_SUITE, timeoutMs: 5_000, ...options });
}

async function refuses(asked: Promise<unknown>, reason: PowerErrorReason, says: RegExp): Promise<void> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'PowerError', reason, message: expect.stringMatching(says) });
  expect(String(error)).not.toContain(PASSWORD);
}

describe('an IPMI BMC', () => {
  it('tells the state and the UUID, powers off and on', async () => {
    const bmc = device();
    expect(await bmc.readState(signal())).toEqual({ state: 'On', systemUUID: ONE.uuid });
    await bmc.forceOff(signal());
    expect(one.power).toBe(false);
    expect((await bmc.readState(signal())).state).toBe('Off');
    await bmc.forceOff(signal());
    await bmc.powerOn(signal());
    expect(one.power).toBe(true);
    await bmc.powerOn(signal());
    expect((await bmc.readState(signal())).state).toBe('On');
  });

  it('is asked for its cipher suites when none is given', async () => {
    const { cipherSuite: _, ...rest } = { cipherSuite: 0, address: '127.0.0.1', port };
    const bmc = ipmiDevice({ ...rest, username: USERNAME, password: PASSWORD, timeoutMs: 8_000 });
    expect((await bmc.readState(signal())).state).toBe('On');
  });

  it('is confirmed off by its reading, and not by having taken the order', async () => {
    const options = { deadlineMs: 1_500, intervalMs: 200, clock: systemClock };
    one.isStuck = true;
    expect(await confirmOff(device(), options, signal())).toMatchObject({ ok: false, reason: 'StillOn' });
    one.isStuck = false;
    expect(await confirmOff(device(), options, signal())).toMatchObject({ ok: true });
    expect(one.power).toBe(false);
  });

  it.each<[string, Partial<Parameters<typeof ipmiDevice>[0]>, PowerErrorReason, RegExp]>([
    [
      'a wrong password',
      { password: 'wrong' },
      'Unauthorized',
      /^BMC 127\.0\.0\.1:\d+ \(IPMI\): cannot power off: the password is wrong/,
    ],
    ['a user that it does not know', { username: 'root' }, 'Unauthorized', /no such user/],
    ['a password that IPMI cannot take', { password: 'x'.repeat(30) }, 'Unauthorized', /at most 20 bytes/],
    ['a cipher suite that it does not have', { cipherSuite: 17 }, 'NotSupported', /3 and 17 are usual/],
    ['a name that does not resolve', { address: 'bmc.invalid' }, 'Unreachable', /does not resolve/],
    ['an address that looks like an option', { address: '-v' }, 'Unreachable', /does not resolve/],
  ])('is not switched with %s', async (_name, options, reason, says) => {
    await refuses(device(options).forceOff(signal()), reason, says);
    expect(one.power).toBe(true);
  });

  it('where nobody listens is unreachable', async () => {
    await refuses(
      device({ port: await freePort(), timeoutMs: 10_000 }).readState(signal()),
      'Unreachable',
      /does not answer/,
    );
  });

  it('that hangs costs no more than the time limit, and its caller may give up', async () => {
    signalProcess(simulator.pid, 'SIGSTOP');
    try {
      const begun = performance.now();
      await refuses(device({ timeoutMs: 700 }).readState(signal()), 'TimedOut', /no answer within 0\.7 s/);
      expect(performance.now() - begun).toBeLessThan(1_700);
      const caller = new AbortController();
      const asked = device().forceOff(caller.signal);
      setTimeout(() => caller.abort(new Error('no longer leader')), 100);
      await expect(asked).rejects.toThrow('no longer leader');
    } finally {
      signalProcess(simulator.pid, 'SIGCONT');
    }
  });

  it('needs ipmitool', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = rack.folder;
    try {
      await refuses(device().readState(signal()), 'ToolMissing', /ipmitool is not installed/);
    } finally {
      process.env['PATH'] = path;
    }
  });
});
