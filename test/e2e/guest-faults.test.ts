import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualMachineInstance } from '../../src/api/virtual-machine-instance.ts';
import { run } from '../lab/run.ts';
import { guestVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
  await story.apply({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'HAPolicy',
    metadata: { name: 'attentive' },
    spec: { vmFault: { action: 'Reboot', heartbeatTimeoutSeconds: 5, ioQuietSeconds: 6, minUptimeSeconds: 0 } },
  });
  await patch('cluster', 'lab', { ha: { enabled: true, policyName: 'attentive' } });
});
afterAll(async () => {
  await patch('cluster', 'lab', { ha: { enabled: false, policyName: null } });
  await story.kubectl(['delete', 'hapolicy', 'attentive']);
  await story.cleanUp();
  await story.close();
});

async function patch(kind: string, name: string, spec: object): Promise<void> {
  await story.kubectl(['patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec })]);
}

/** Boots a guest and waits until it counts and its tools are connected. @returns its host */
async function counting(name: string): Promise<string> {
  await story.apply(guestVM(name));
  const { status } = await story.vmWhen(name, 'to run with its tools', (vm) =>
    (vm.status?.conditions ?? []).some(({ type, status: value }) => type === 'GuestToolsConnected' && value === 'True'),
  );
  await story.says(status?.host ?? '', name, /counter=/);
  return status?.host ?? '';
}

/** What a person in the guest would type; whether the guest can still answer is no matter. */
async function inGuest(host: string, name: string, script: string): Promise<void> {
  const exec = { execute: 'guest-exec', arguments: { path: '/bin/sh', arg: ['-c', script] } };
  const { libvirtUri } = story.lab.host(host);
  await run('virsh', ['-c', libvirtUri, 'qemu-agent-command', `default_${name}`, JSON.stringify(exec)]);
}

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
    const { verdict } = await story.booted('hangs', [host], 2);
    expect(verdict).toEqual({ ok: true });
    const after = await story.vmWhen('hangs', 'to be ready again', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: value }) => type === 'Ready' && value === 'True'),
    );
    expect(after.status).toMatchObject({ host, epoch: before.status?.epoch, startedAt: before.status?.startedAt });
    expect(await story.kubectl(['get', 'events', '--namespace=default'])).toMatch(/GuestHeartbeatLost .*hangs/);
  });

  it('by a panic is started on another host, when its policy says so, and has one owner all the time', async () => {
    await patch('hapolicy', 'attentive', { vmFault: { action: 'Restart' } });
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
    const { verdict } = await story.booted('panics', [from, status?.host ?? ''], 2);
    expect(verdict).toEqual({ ok: true });
    expect((await story.domains()).filter(({ domain }) => domain === 'default_panics')).toEqual([
      { host: status?.host, domain: 'default_panics' },
    ]);
  });
});
