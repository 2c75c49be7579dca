import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualMachineInstance } from '../../src/api/virtual-machine-instance.ts';
import { run } from '../lab/run.ts';
import { HaStory } from './ha-story.ts';
import type { Story } from './story.ts';

let ha: HaStory;
let story: Story;

beforeAll(async () => {
  const vmFault = { action: 'Reboot', heartbeatTimeoutSeconds: 5, ioQuietSeconds: 6, minUptimeSeconds: 0 };
  ha = await HaStory.open('attentive', { policy: { vmFault } });
  story = ha.story;
});
afterAll(async () => await ha.close());

/** Boots a guest and waits until it counts and its tools are connected. @returns its host */
async function counting(name: string, spec: object = {}): Promise<string> {
  const host = await ha.counting(name, spec);
  await story.vmWhen(name, 'to run with its tools', (vm) =>
    (vm.status?.conditions ?? []).some(({ type, status: value }) => type === 'GuestToolsConnected' && value === 'True'),
  );
  return host;
}

/** What a person in the guest would type. A guest that has failed by it before it could answer has done it. */
async function inGuest(host: string, name: string, script: string): Promise<void> {
  const exec = { execute: 'guest-exec', arguments: { path: '/bin/sh', arg: ['-c', script] } };
  const { libvirtUri } = story.lab.host(host);
  const call = run('virsh', ['-c', libvirtUri, 'qemu-agent-command', `default_${name}`, JSON.stringify(exec)]);
  await call.catch((error: Error) => {
    if (!error.message.includes('Guest agent disappeared while executing command')) throw error;
  });
}

/** What its driver would write: the fast clock, and that it runs (Intel 6300ESB, registers 60h and 68h). Nobody feeds it then. */
const START_WATCHDOG = [
  'for device in /sys/bus/pci/devices/*; do grep -q 0x25ab $device/device && config=$device/config; done',
  "printf '\\007\\000' | dd of=$config bs=2 seek=48 conv=notrunc",
  "printf '\\002' | dd of=$config bs=1 seek=104 conv=notrunc",
].join('; ');

describe('a guest that fails', () => {
  it('by a hang is reset where it is, when its policy says so', async () => {
    const host = await counting('hangs');
    const before = await story.vm('hangs');
    // A panic that nobody outside hears of, and that the kernel does not reboot after: it spins.
    await inGuest(host, 'hangs', 'rmmod pvpanic_mmio; echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger');
    const failed = await story.vmWhen('hangs', 'to be reset', ({ status }) => status?.lastFault !== undefined);
    expect(failed.status?.lastFault).toMatchObject({
      reason: 'GuestHeartbeatLost',
      action: 'Reboot',
      host,
      epoch: before.status?.epoch,
      actedAt: [expect.any(String)],
    });
    await ha.hadOneOwner('hangs', [host], 2);
    const after = await story.vmWhen('hangs', 'to be ready again', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: value }) => type === 'Ready' && value === 'True'),
    );
    expect(after.status).toMatchObject({ host, epoch: before.status?.epoch, startedAt: before.status?.startedAt });
    expect(await story.kubectl(['get', 'events', '--namespace=default'])).toMatch(/GuestHeartbeatLost .*hangs/);
  });

  it('to feed its watchdog is reset where it is, when its policy says so', async () => {
    const host = await counting('neglects', { watchdog: { model: 'i6300esb' } });
    await inGuest(host, 'neglects', START_WATCHDOG);
    const { status } = await story.vmWhen('neglects', 'to be reset', (vm) => vm.status?.lastFault !== undefined);
    expect(status?.lastFault).toMatchObject({ reason: 'GuestWatchdogExpired', action: 'Reboot', host });
    await ha.hadOneOwner('neglects', [host], 2);
    expect((await story.vm('neglects')).status).toMatchObject({ host, epoch: 1 });
  });

  it('by a panic is started on another host, when its policy says so, and has one owner all the time', async () => {
    await ha.patchPolicy({ vmFault: { action: 'Restart' } });
    const from = await counting('panics');
    const before = await story.vm('panics');
    await story.when(
      VirtualMachineInstance,
      { namespace: 'default', name: 'panics' },
      'to know the policy',
      ({ spec }) => spec.vmFault?.action === 'Restart',
    );
    await inGuest(from, 'panics', 'echo c >/proc/sysrq-trigger');
    const { status } = await story.vmWhen('panics', `to run elsewhere than on ${from}`, ({ status: now }) => {
      return now?.phase === 'Running' && now.host !== from;
    });
    expect(status).toMatchObject({
      epoch: (before.status?.epoch ?? 0) + 1,
      lastFault: { reason: 'GuestPanicked', action: 'Restart', host: from, epoch: before.status?.epoch },
    });
    await ha.hadOneOwner('panics', [from, status?.host ?? ''], 2);
  });
});
