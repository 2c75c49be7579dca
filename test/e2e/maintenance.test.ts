import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import { Migration } from '../../src/api/migration.ts';
import { VirtualMachineInstance } from '../../src/api/virtual-machine-instance.ts';
import { readConsoleCounters } from '../lab/guest/console-counters.ts';
import { waitFor } from '../lab/wait.ts';
import { disklessVM, guestVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
});
afterAll(async () => {
  await story.cleanUp();
  await story.close();
});

async function setMaintenance(host: string, maintenance: 'Disabled' | 'Evacuate'): Promise<void> {
  await story.kubectl(['patch', 'host', host, '--type=merge', '-p', JSON.stringify({ spec: { maintenance } })]);
}

const inMaintenance = async (host: string, reason: string) =>
  await story.when(Host, { name: host }, `to be ${reason}`, ({ status }) =>
    (status?.conditions ?? []).some((condition) => condition.type === 'InMaintenance' && condition.reason === reason),
  );

/** The VM of a Migration that waits for others, and its name. */
async function queuedMigration(): Promise<{ readonly name: string; readonly vm: string }> {
  return await waitFor(
    'a Migration to be queued',
    async () => {
      const { items } = await story.client.list(Migration, { namespace: 'default' });
      for (const { metadata, spec, status } of items) {
        const isQueued = (status?.conditions ?? []).some(({ reason }) => reason === 'Queued');
        const vm = spec.virtualMachineName;
        if (isQueued && vm !== undefined) return { ready: true, value: { name: metadata.name, vm } };
      }
      return { ready: false, because: JSON.stringify(items.map(({ metadata, status }) => [metadata.name, status])) };
    },
    { timeoutMs: 60_000 },
  );
}

const on = (host: string) => ({ hostSelector: { matchLabels: { 'kubernetes.io/hostname': host } } });

describe('a host in maintenance', () => {
  afterEach(async () => {
    await setMaintenance('host-1', 'Disabled');
    await story.cleanUp();
  });

  it('is left by all VMs while they run, takes no new one, and takes VMs again afterwards', async () => {
    const names = ['a', 'b', 'c'].map((name) => `evacuee-${name}`);
    // Hosts are chosen by free memory, so that three VMs on one host need a reason.
    await Promise.all(['host-2', 'host-3'].map((host) => setMaintenance(host, 'Evacuate')));
    await Promise.all(['host-2', 'host-3'].map((host) => inMaintenance(host, 'Empty')));
    await story.apply(...names.map((name) => disklessVM(name)), guestVM('evacuee-guest'));
    for (const name of [...names, 'evacuee-guest']) expect((await story.running(name)).status?.host).toBe('host-1');
    await story.says('host-1', 'evacuee-guest', /counter=1 /);
    await Promise.all(['host-2', 'host-3'].map((host) => setMaintenance(host, 'Disabled')));

    await setMaintenance('host-1', 'Evacuate');
    const empty = await inMaintenance('host-1', 'Empty');
    expect(empty.status?.evacuation).toMatchObject({ cause: 'Spec', total: 4, remaining: 0 });
    expect((await story.domains()).filter(({ host }) => host === 'host-1')).toEqual([]);
    for (const name of [...names, 'evacuee-guest']) {
      const { status } = await story.running(name);
      expect(status?.host).toMatch(/^host-[23]$/);
      expect(status?.restarts).toBeUndefined();
    }
    expect(await story.kubectl(['get', 'host', 'host-1'])).toMatch(/ MAINTENANCE .*\n.* Empty /);

    await story.apply(disklessVM('late', on('host-1')));
    const late = await story.vmWhen('late', 'to wait', ({ status }) =>
      (status?.conditions ?? []).some(({ reason }) => reason === 'NoHostFits'),
    );
    expect(late.status?.conditions.find(({ type }) => type === 'Scheduled')?.message).toContain(
      'host-1: HostInMaintenance: it is in maintenance (spec.maintenance)',
    );
    await setMaintenance('host-1', 'Disabled');
    expect((await story.running('late')).status?.host).toBe('host-1');
    await inMaintenance('host-1', 'Disabled');
  });

  it('is left also by a VM that has the name of one that has left it before', async () => {
    for (const round of ['first', 'second']) {
      await story.apply(disklessVM('phoenix', on('host-1')));
      expect((await story.running('phoenix')).status?.host).toBe('host-1');
      await story.kubectl([
        'patch',
        'vm',
        'phoenix',
        '--type=json',
        '-p',
        '[{"op":"remove","path":"/spec/hostSelector"}]',
      ]);
      await setMaintenance('host-1', 'Evacuate');
      await inMaintenance('host-1', 'Empty');
      expect((await story.running('phoenix')).status?.host, round).toMatch(/^host-[23]$/);
      await setMaintenance('host-1', 'Disabled');
      await inMaintenance('host-1', 'Disabled');
      await story.kubectl(['delete', 'vm', 'phoenix']);
      await story.gone(VirtualMachineInstance, 'phoenix');
    }
  });

  it('names the VMs that cannot leave, and why; they leave once they can', async () => {
    await story.apply(disklessVM('pinned', on('host-1')));
    await story.running('pinned');
    await setMaintenance('host-1', 'Evacuate');
    const { status } = await inMaintenance('host-1', 'Blocked');
    expect(status?.evacuation).toMatchObject({ total: 1, remaining: 1, moving: 0 });
    expect(status?.evacuation?.blocked).toMatchObject([{ virtualMachine: 'default/pinned', reason: 'NoHostFits' }]);
    expect(status?.evacuation?.blocked?.[0]?.message).toContain('HostSelectorMismatch');
    await story.kubectl([
      'patch',
      'vm',
      'pinned',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/spec/hostSelector"}]',
    ]);
    await inMaintenance('host-1', 'Empty');
    expect((await story.running('pinned')).status?.host).not.toBe('host-1');
  });

  it('may be one because its Node is cordoned, as kubectl drain does first of all', async () => {
    await story.apply(disklessVM('cordoned', on('host-1')));
    await story.running('cordoned');
    await story.kubectl([
      'patch',
      'vm',
      'cordoned',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/spec/hostSelector"}]',
    ]);
    await story.kubectl(['drain', 'host-1', '--ignore-daemonsets']);
    try {
      expect((await inMaintenance('host-1', 'Empty')).status?.evacuation?.cause).toBe('NodeCordoned');
    } finally {
      await story.kubectl(['uncordon', 'host-1']);
    }
    await inMaintenance('host-1', 'Disabled');
  });

  it('that is taken back keeps what has not left, and stops what has not begun', async () => {
    await story.kubectl([
      'patch',
      'cluster',
      'lab',
      '--type=merge',
      '-p',
      '{"spec":{"migration":{"maxPerHost":1,"bandwidth":"1Mi"}}}',
    ]);
    try {
      await Promise.all(['host-2', 'host-3'].map((host) => setMaintenance(host, 'Evacuate')));
      const names = ['slow-a', 'slow-b'];
      await story.apply(...names.map((name) => guestVM(name)));
      for (const name of names) expect((await story.running(name)).status?.host).toBe('host-1');
      for (const name of names) await story.says('host-1', name, /counter=1 /);
      await Promise.all(['host-2', 'host-3'].map((host) => setMaintenance(host, 'Disabled')));
      await setMaintenance('host-1', 'Evacuate');
      // Which of them goes first is promised nowhere.
      const queued = await queuedMigration();
      await setMaintenance('host-1', 'Disabled');
      await story.gone(Migration, queued.name);
      const kept = queued.vm;
      expect((await story.running(kept)).status).toMatchObject({ host: 'host-1' });
      const seen = readConsoleCounters(story.consoleOn('host-1', kept)).readings.length;
      await story.says('host-1', kept, new RegExp(`counter=${seen + 2} `));
      expect(readConsoleCounters(story.consoleOn('host-1', kept))).toMatchObject({
        verdict: { ok: true },
        boots: [expect.any(String)],
      });
    } finally {
      await story.kubectl([
        'patch',
        'cluster',
        'lab',
        '--type=merge',
        '-p',
        '{"spec":{"migration":{"maxPerHost":2,"bandwidth":null}}}',
      ]);
    }
  });
});
