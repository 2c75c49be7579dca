import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { confirmOff, type PowerDevice } from '../../../src/power/index.ts';
import { systemClock } from '../../../src/runtime/index.ts';
import {
  bmcOf,
  bmcStateOf,
  letBmcLie,
  letBmcTellTheTruth,
  plugBmc,
  startBmcs,
  stopBmcs,
  unplugBmc,
} from '../../lab/bmc/bmcs.ts';
import { powerDeviceOf } from '../../lab/bmc/device.ts';
import { ensureRedfishEmulator } from '../../lab/install/redfish-emulator.ts';
import { factsOf, isDead } from '../../lab/proc.ts';
import { listProcesses } from '../../lab/processes.ts';
import { lines } from '../../lab/report.ts';
import { waitFor } from '../../lab/wait.ts';
import { processesIn } from './host-processes.ts';
import { type OwnHosts, startOwnHosts } from './own-hosts.ts';

/** What a process is given that is asked to end (`stopProcess`); nothing in a host without power is asked. */
const GRACE_MS = 5_000;
const ON_TIMEOUT_MS = 30_000;
const signal = () => AbortSignal.timeout(60_000);

let own: OwnHosts;

beforeAll(async () => {
  await ensureRedfishEmulator(lines(() => undefined));
  own = await startOwnHosts('bmc', 2);
  await startBmcs(own.lab, [1, 2], 'Libvirtd');
});
afterAll(() => own.remove());

describe.each([
  { type: 'Redfish', index: 1, other: 2 },
  { type: 'IPMI', index: 2, other: 1 },
])('the $type BMC of host $index', ({ type, index, other }) => {
  let device: PowerDevice;
  beforeAll(async () => {
    const bmc = await bmcOf(own.lab, index);
    expect(bmc.type).toBe(type);
    device = powerDeviceOf(bmc);
  });

  it("tells the host's power and libvirt's UUID", async () => {
    const { uuid } = own.host(index).identity;
    expect(await device.readState(signal())).toEqual({ state: 'On', systemUUID: uuid });
    expect(await own.host(index).run('virsh', ['capabilities'])).toContain(`<uuid>${uuid}</uuid>`);
  });

  it('takes the power from everything in the host at once, also while it is cut off, and gives it back', async () => {
    const host = own.host(index);
    await host.startProcess({ name: 'agent', command: 'sh', args: ['-c', 'trap "" TERM; setsid sleep 1000 & wait'] });
    await host.cut();
    const doomed = processesIn(host).map(({ pid }) => pid);
    expect(doomed.length).toBeGreaterThan(3);

    const begun = performance.now();
    const result = await confirmOff(device, { deadlineMs: 10_000, intervalMs: 100, clock: systemClock }, signal());
    expect(result).toMatchObject({ ok: true });
    expect(performance.now() - begun).toBeLessThan(GRACE_MS);
    expect(doomed.map(factsOf).filter((facts) => facts !== undefined && !isDead(facts))).toEqual([]);
    expect(host.hasPower()).toBe(false);
    expect(own.host(other).libvirtdRuns()).toBe(true);

    await host.heal();
    await device.powerOn(signal());
    await waitFor(
      'libvirtd',
      async () =>
        (await answers(index)) ? { ready: true, value: true } : { ready: false, because: 'it does not answer' },
      { timeoutMs: ON_TIMEOUT_MS },
    );
    expect((await device.readState(signal())).state).toBe('On');
  });

  it('takes the power from a host that is just starting, and what starts there does not come up later', async () => {
    const host = own.host(index);
    await device.forceOff(signal());
    await device.powerOn(signal());
    await device.forceOff(signal());
    const result = await confirmOff(device, { deadlineMs: 20_000, intervalMs: 100, clock: systemClock }, signal());
    expect(result).toMatchObject({ ok: true });
    await sleep(1_000);
    expect(host.hasPower()).toBe(false);
    expect(listProcesses(own.lab.folder).filter(({ name }) => name.startsWith(`${host.name}.`))).toEqual([]);
    await host.powerOn();
  });

  it('answers nothing while it is unplugged', async () => {
    await unplugBmc(own.lab, index);
    expect(bmcStateOf(own.lab, index)).toBe('Unplugged');
    const begun = performance.now();
    await expect(device.readState(AbortSignal.timeout(700))).rejects.toThrow(/aborted due to timeout/);
    expect(performance.now() - begun).toBeLessThan(2_000);
    await plugBmc(own.lab, index);
    expect(bmcStateOf(own.lab, index)).toBe('Answers');
    expect((await device.readState(signal())).state).toBe('On');
  });

  it('says that a host is off which runs, while it lies', async () => {
    letBmcLie(own.lab, index);
    await device.forceOff(signal());
    expect((await device.readState(signal())).state).toBe('Off');
    expect(own.host(index).hasPower()).toBe(true);
    letBmcTellTheTruth(own.lab, index);
    expect((await device.readState(signal())).state).toBe('On');
  });
});

it('BMCs that died are started again, and go with the hosts', async () => {
  const running = () => listProcesses(own.lab.folder).filter(({ name }) => name.startsWith('bmc.'));
  expect(running()).toHaveLength(3);
  await stopBmcs(own.lab);
  expect(running()).toEqual([]);
  expect(bmcStateOf(own.lab, 1)).toBe('Stopped');
  await startBmcs(own.lab, [1, 2], 'Libvirtd');
  expect((await powerDeviceOf(await bmcOf(own.lab, 1)).readState(signal())).state).toBe('On');
});

async function answers(index: number): Promise<boolean> {
  const host = own.host(index);
  if (!host.hasPower() || !host.libvirtdRuns()) return false;
  return await host.run('virsh', ['uri']).then(
    () => true,
    () => false,
  );
}
