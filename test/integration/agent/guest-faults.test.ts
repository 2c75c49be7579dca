import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InstanceVMFault } from '../../../src/api/virtual-machine-instance.ts';
import { disk } from '../../builders/virtual-machine-instance.ts';
import { buildGuestImage } from '../../lab/guest/build.ts';
import { eventually } from '../eventually.ts';
import { AgentWorld } from './agent-world.ts';

const IMAGES = '/var/lib/libvirt/images';
const BOOT_TIMEOUT_MS = 90_000;

let world: AgentWorld;
let guestImage: string;

beforeAll(async () => {
  guestImage = (await buildGuestImage()).disk;
  world = await AgentWorld.open('agent-guest-faults');
  await world.startAgent();
}, 300_000);
afterAll(async () => {
  await world?.remove();
});

function policy(changes: Partial<InstanceVMFault> = {}): InstanceVMFault {
  return {
    action: 'Reboot',
    heartbeatTimeoutSeconds: 5,
    ioQuietSeconds: 6,
    minUptimeSeconds: 0,
    maxResets: 2,
    windowSeconds: 3600,
    ...changes,
  };
}

const stateOf = async (name: string) => (await world.virsh('domstate', '--reason', `default_${name}`)).trim();

/** Boots the test guest and waits until its tools are connected and it counts. */
async function linux(name: string, vmFault: InstanceVMFault) {
  const vm = world.fresh(name);
  const path = join(IMAGES, `${vm.name}.qcow2`);
  mkdirSync(join(world.host.files.root, IMAGES), { recursive: true });
  copyFileSync(guestImage, join(world.host.files.root, path));
  await world.create(vm, { vmFault, memoryBytes: 128 * 2 ** 20, disks: [disk({ path, bootOrder: 1 })] });
  await world.statusWhere(vm.name, 'with tools', ({ guestTools }) => guestTools?.connected === true, BOOT_TIMEOUT_MS);
  await eventually('it counts', () => /counter=2 /.test(world.console(vm.name)), BOOT_TIMEOUT_MS);
  return vm;
}

/** What a person in the guest would type; whether the guest can still answer is no matter. */
async function inGuest(name: string, script: string): Promise<void> {
  const exec = { execute: 'guest-exec', arguments: { path: '/bin/sh', arg: ['-c', script] } };
  await world.virsh('qemu-agent-command', `default_${name}`, JSON.stringify(exec));
}

const boots = (name: string) => new Set([...world.console(name).matchAll(/ boot=(\w+)/g)].map(([, boot]) => boot)).size;

describe('a guest whose kernel panics', { timeout: 90_000 }, () => {
  it('is started again as often as its policy allows, and is then kept as it died, for people to see', async () => {
    const vm = world.fresh('panics');
    await world.create(vm, { vmFault: policy(), disks: [await world.bootDisk('panics', 'panics')] });
    const status = await world.statusWhere(
      vm.name,
      'given up',
      ({ guestFault }) => guestFault?.action === 'None',
      60_000,
    );
    expect(status).toMatchObject({
      phase: 'Failed',
      reason: 'GuestPanicked',
      message: expect.stringContaining('reset or restarted 2 times'),
      restarts: 2,
      lastStop: { reason: 'Crashed' },
      guestFault: { reason: 'GuestPanicked', epoch: 1, actedAt: [expect.any(String), expect.any(String)] },
      conditions: [{ type: 'Ready', status: 'False', reason: 'GuestPanicked' }],
    });
    expect(await stateOf(vm.name)).toBe('crashed (panicked)');
    expect(world.decisions(vm.name)).toEqual(['Claim', 'Start', 'EndCrashed', 'Start', 'EndCrashed', 'Start']);
    expect(await world.metric('drover_agent_guest_faults_total', { reason: 'GuestPanicked', action: 'Reboot' })).toBe(
      2,
    );
    // A person who restarts it is not held up by what was counted.
    await world.change(vm.name, { restartedAt: 'now' });
    await eventually(
      'it has been started anew',
      () => world.decisions(vm.name).filter((step) => step === 'Start').length === 4,
    );
    expect(world.decisions(vm.name).slice(6, 8)).toEqual(['Destroy', 'Start']);
  });

  it('while the agent is away, with all that was counted before, is seen when it is back', async () => {
    const vm = world.fresh('panics-unseen');
    await world.create(vm, {
      vmFault: policy({ maxResets: 1 }),
      disks: [await world.bootDisk('panics-unseen', 'panics')],
    });
    await eventually('its second start', async () => {
      const isDecided = world.decisions(vm.name).filter((step) => step === 'Start').length === 2;
      // One that is killed before libvirt has the order leaves no domain.
      return isDecided && (await stateOf(vm.name).catch(() => 'not there')).startsWith('running');
    });
    await world.killAgent();
    await eventually('it has panicked', async () => (await stateOf(vm.name)) === 'crashed (panicked)');
    await world.startAgent();
    const status = await world.statusWhere(vm.name, 'given up', ({ guestFault }) => guestFault?.action === 'None');
    expect(status).toMatchObject({ restarts: 1, guestFault: { actedAt: [expect.any(String)] } });
    expect(world.decisions(vm.name)).toEqual([]);
  });

  it('is left to the operator where it is to run elsewhere, and is ended at once when that says so', async () => {
    const vm = world.fresh('panics-away');
    const vmFault = policy({ action: 'Restart' });
    await world.create(vm, { vmFault, disks: [await world.bootDisk('panics-away', 'panics')] });
    const told = await world.statusWhere(vm.name, 'to be moved', ({ guestFault }) => guestFault?.action === 'Restart');
    expect(told).toMatchObject({ phase: 'Failed', reason: 'GuestPanicked', guestFault: { epoch: 1 } });
    await world.change(vm.name, { powerState: 'Off', gracePeriodSeconds: 0 });
    const off = await world.phase(vm.name, 'Off');
    expect(off.guestFault).toEqual(told.guestFault);
    expect(world.decisions(vm.name)).toEqual(['Claim', 'Start', 'Destroy']);
  });
});

describe('a guest that does not feed its watchdog', { timeout: 90_000 }, () => {
  it.each(['q35', 'pc'])(
    'is reset in its domain, as often as it takes, where there is no policy (%s)',
    async (machineType) => {
      const vm = world.fresh(`watchdog-${machineType}`);
      const disks = [await world.bootDisk('watchdog', 'neglectsWatchdog')];
      await world.create(vm, { machineType, watchdog: { model: 'i6300esb' }, disks });
      await world.phase(vm.name, 'Running');
      await eventually('three boots', () => world.console(vm.name).split('B').length > 3);
      expect(world.decisions(vm.name).slice(0, 4)).toEqual(['Claim', 'Start', 'Reset', 'Reset']);
      expect((await world.status(vm.name))?.guestFault).toBeUndefined();
    },
  );

  it('is reset as often as its policy allows, and then stands still', async () => {
    const vm = world.fresh('watchdog-policy');
    const disks = [await world.bootDisk('watchdog', 'neglectsWatchdog')];
    await world.create(vm, { watchdog: { model: 'i6300esb' }, vmFault: policy({ maxResets: 1 }), disks });
    const status = await world.statusWhere(vm.name, 'given up', ({ guestFault }) => guestFault?.action === 'None');
    expect(status).toMatchObject({
      phase: 'Failed',
      reason: 'GuestWatchdogExpired',
      guestFault: { reason: 'GuestWatchdogExpired', actedAt: [expect.any(String)] },
    });
    expect(await stateOf(vm.name)).toBe('paused (watchdog)');
    expect(world.decisions(vm.name)).toEqual(['Claim', 'Start', 'Reset']);
    expect(world.console(vm.name).split('B')).toHaveLength(3);
  });
});

describe('a guest whose tools fall silent', { timeout: 240_000 }, () => {
  it('is reset in its domain when it hangs', async () => {
    const vm = await linux('hangs', policy());
    const id = (await world.domain(vm.name))?.id;
    // A panic that nobody outside hears of, and that the kernel does not reboot after: it spins.
    await inGuest(vm.name, 'rmmod pvpanic_mmio; echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger');
    const status = await world.statusWhere(vm.name, 'reset', ({ guestFault }) => guestFault !== undefined, 60_000);
    expect(status.guestFault).toMatchObject({ reason: 'GuestHeartbeatLost', action: 'Reboot' });
    await eventually('it boots again', () => boots(vm.name) === 2, BOOT_TIMEOUT_MS);
    expect((await world.domain(vm.name))?.id).toBe(id);
    expect(world.decisions(vm.name)).toEqual(['Claim', 'Start', 'Reset']);
    const well = await world.statusWhere(
      vm.name,
      'well',
      ({ phase, reason }) => phase === 'Running' && reason === undefined,
    );
    expect(well.guestTools?.silentSince).toBeUndefined();
    expect(well.guestFault?.actedAt).toHaveLength(1);
  });

  it('is left alone as long as it writes to its disk, and says so', async () => {
    const vm = await linux('busy', policy());
    await inGuest(vm.name, 'kill -STOP $(pidof qemu-ga)');
    const status = await world.statusWhere(
      vm.name,
      'silent and left alone',
      ({ guestTools }) => guestTools?.suppressedBy === 'RecentIO',
      60_000,
    );
    expect(status).toMatchObject({
      phase: 'Running',
      guestTools: { connected: true, silentSince: expect.any(String) },
    });
    expect(status.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
    const counted = Number(/.*counter=(\d+)/s.exec(world.console(vm.name))?.[1]);
    // Longer than it would have to be quiet.
    await eventually('it counts on', () => Number(/.*counter=(\d+)/s.exec(world.console(vm.name))?.[1]) > counted + 10);
    expect(world.decisions(vm.name)).toEqual(['Claim', 'Start']);
    expect(boots(vm.name)).toBe(1);
  });

  it('is left alone when it has closed their channel: its kernel lives', async () => {
    const vm = await linux('no-tools', policy({ ioQuietSeconds: 0 }));
    await inGuest(
      vm.name,
      'sed -i /agent/d /etc/inittab; kill -HUP 1; killall qemu-ga; while killall qemu-ga; do sleep 1; done',
    );
    const closed = await world.statusWhere(
      vm.name,
      'without tools',
      ({ guestTools }) => guestTools?.connected === false,
    );
    const counted = Number(/.*counter=(\d+)/s.exec(world.console(vm.name))?.[1]);
    await eventually('it counts on', () => Number(/.*counter=(\d+)/s.exec(world.console(vm.name))?.[1]) > counted + 8);
    expect(await world.status(vm.name)).toMatchObject({ phase: 'Running', guestTools: closed.guestTools });
    expect(world.decisions(vm.name)).toEqual(['Claim', 'Start']);
  });
});
