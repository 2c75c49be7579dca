import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import { Migration } from '../../src/api/migration.ts';
import { VirtualMachineInstance } from '../../src/api/virtual-machine-instance.ts';
import { readConsoleCounters } from '../lab/guest/console-counters.ts';
import type { LabHost } from '../lab/host/lab-host.ts';
import { waitFor } from '../lab/wait.ts';
import { disklessVM, guestVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
});
afterAll(async () => {
  await setMigration({ bandwidth: undefined });
  await story.cleanUp();
  await story.close();
});

function migration(name: string, vm: string, spec: object = {}): object {
  return {
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Migration',
    metadata: { name, namespace: 'default' },
    spec: { virtualMachineName: vm, ...spec },
  };
}

const over = async (name: string) =>
  await story.when(Migration, { namespace: 'default', name }, 'to be over', ({ status }) =>
    ['Succeeded', 'Failed'].includes(status?.phase ?? ''),
  );

/** What the Cluster says of migrations; `undefined` takes a field away. */
async function setMigration(changes: Readonly<Record<string, unknown>>): Promise<void> {
  const spec = Object.fromEntries(Object.entries(changes).map(([name, value]) => [name, value ?? null]));
  await story.kubectl(['patch', 'cluster', 'lab', '--type=merge', '-p', JSON.stringify({ spec: { migration: spec } })]);
}

/** Begins a migration that takes a minute, and returns when its memory is being copied. */
async function slowly(name: string, vm: string, spec: object = {}): Promise<Migration> {
  await setMigration({ bandwidth: '2Mi' });
  await story.apply(migration(name, vm, spec));
  return await story.when(
    Migration,
    { namespace: 'default', name },
    'to copy',
    ({ status }) => status?.phase === 'Running',
  );
}

describe('a live migration', () => {
  it('moves a running VM to the host that is asked for, and its guest counts on', async () => {
    await story.apply(guestVM('traveller'));
    const before = await story.running('traveller');
    const from = before.status?.host ?? '';
    const to = from === 'host-1' ? 'host-2' : 'host-1';
    await story.says(from, 'traveller', /counter=2/);
    await story.apply(migration('first', 'traveller', { targetHost: to }));
    const first = await over('first');
    expect(first.status).toMatchObject({ phase: 'Succeeded', sourceHost: from, targetHost: to, progressPercent: 100 });
    expect(first.status?.downtimeMilliseconds).toBeGreaterThanOrEqual(0);
    expect(await story.domains()).toContainEqual({ host: to, domain: 'default_traveller' });
    expect((await story.domains()).filter(({ domain }) => domain === 'default_traveller')).toHaveLength(1);
    const after = await story.running('traveller');
    expect(after.status).toMatchObject({ host: to, epoch: (before.status?.epoch ?? 0) + 1 });
    expect(after.status?.startedAt).toBe(before.status?.startedAt);
    await story.says(to, 'traveller', /counter=/);
    const counters = readConsoleCounters(story.consoleOn(from, 'traveller') + story.consoleOn(to, 'traveller'));
    expect(counters.verdict).toEqual({ ok: true });
    expect(counters.boots).toHaveLength(1);
  });
});

describe('a migration that does not come to its end', () => {
  afterEach(async () => {
    await setMigration({ bandwidth: undefined, postCopy: undefined, completionTimeoutSecondsPerGiB: undefined });
  });

  it('goes on by post-copy where the Cluster allows it, and loses nothing', async () => {
    await story.apply(guestVM('heavy'));
    const from = (await story.running('heavy')).status?.host ?? '';
    await story.says(from, 'heavy', /counter=2/);
    await setMigration({ bandwidth: '2Mi', postCopy: 'AfterStall', completionTimeoutSecondsPerGiB: 8 });
    await story.apply(migration('late', 'heavy'));
    const { status } = await over('late');
    expect(status).toMatchObject({ phase: 'Succeeded', sourceHost: from, progress: { postCopy: true } });
    await story.says(status?.targetHost ?? '', 'heavy', /counter=/);
    const consoles = [from, status?.targetHost ?? ''].map((host) => story.consoleOn(host, 'heavy'));
    const counters = readConsoleCounters(consoles.join(''));
    expect(counters.verdict).toEqual({ ok: true });
    expect(counters.boots).toHaveLength(1);
    expect((await story.domains()).filter(({ domain }) => domain === 'default_heavy')).toHaveLength(1);
  });

  it('ends with its VM, of which nothing is left on either host', async () => {
    await story.apply(guestVM('doomed', { terminationGracePeriodSeconds: 0 }));
    await story.running('doomed');
    await slowly('vain', 'doomed');
    await story.kubectl(['delete', 'vm', 'doomed', '--timeout=120s']);
    expect((await over('vain')).status).toMatchObject({ phase: 'Failed', failures: [{ reason: 'Cancelled' }] });
    await story.gone(VirtualMachineInstance, 'doomed');
    expect((await story.domains()).filter(({ domain }) => domain === 'default_doomed')).toEqual([]);
  });
});

describe('a Cluster that says so', () => {
  const LISTENER = 'plain-listener';
  const PORT = 16_509;

  afterAll(async () => {
    for (const host of story.lab.hosts) await host.stopProcess(LISTENER);
    await setMigration({ transport: undefined });
  });

  /** What `listen_tcp` of libvirtd would do. The hosts of the lab do not listen in the clear but for this test. */
  async function listenInTheClear(host: LabHost): Promise<void> {
    const script = `require('net').createServer((peer) => {
      const daemon = require('net').connect('/run/libvirt/libvirt-sock');
      for (const [a, b] of [[peer, daemon], [daemon, peer]]) a.on('error', () => b.destroy()).pipe(b);
    }).listen(${PORT}, '${host.address}')`;
    await host.startProcess({ name: LISTENER, command: process.execPath, args: ['-e', script] });
  }

  it('moves VMs in the clear, and tells of hosts that do not listen there', async () => {
    await setMigration({ transport: 'TCP' });
    await story.apply(guestVM('open'));
    const from = (await story.running('open')).status?.host ?? '';
    await story.says(from, 'open', /counter=1 /);
    await story.apply(migration('deaf', 'open'));
    expect((await over('deaf')).status?.failures).toMatchObject([
      { reason: 'TargetUnreachable', message: expect.stringContaining(`${PORT}`) },
    ]);
    for (const host of story.lab.hosts) await listenInTheClear(host);
    await story.apply(migration('clear', 'open'));
    const { status } = await over('clear');
    expect(status).toMatchObject({ phase: 'Succeeded', sourceHost: from });
    await story.says(status?.targetHost ?? '', 'open', /counter=/);
    const consoles = [from, status?.targetHost ?? ''].map((host) => story.consoleOn(host, 'open'));
    expect(readConsoleCounters(consoles.join('')).verdict).toEqual({ ok: true });
  });
});

describe('the certificates of the hosts', () => {
  const certificateOf = async (name: string) =>
    (await story.client.get(Host, { name })).status?.tlsCertificate?.certificate ?? '';
  const installedOn = (host: string) =>
    readFileSync(join(story.lab.host(host).files.root, 'etc/pki/libvirt/servercert.pem'), 'utf8');

  it('are all made anew when their authority is lost; VMs run on, and can be moved again', async () => {
    await story.apply(disklessVM('trusting'));
    const before = await story.running('trusting');
    const names = story.lab.hosts.map(({ name }) => name);
    const old = new Map(await Promise.all(names.map(async (name) => [name, await certificateOf(name)] as const)));
    await story.kubectl(['delete', 'secret', 'drover-host-authority', '--namespace=drover-system']);
    await story.lab.restartOperator();
    for (const name of names) {
      await waitFor(
        `${name} to use another certificate`,
        async () => {
          const issued = await certificateOf(name);
          const isNew = issued !== old.get(name) && installedOn(name).trim() === issued.trim();
          return isNew ? { ready: true, value: undefined } : { ready: false, because: 'it has the old one' };
        },
        { timeoutMs: 60_000, intervalMs: 200 },
      );
    }
    await story.hostsReady();
    expect((await story.running('trusting')).status?.startedAt).toBe(before.status?.startedAt);
    await story.apply(migration('trusted', 'trusting'));
    expect((await over('trusted')).status).toMatchObject({ phase: 'Succeeded' });
  });
});

describe('a migration that cannot be', () => {
  let host = '';
  beforeAll(async () => {
    await story.apply(disklessVM('stays'), disklessVM('halted', { runStrategy: 'Halted' }));
    host = (await story.running('stays')).status?.host ?? '';
  });

  it.each<[string, string, () => object, string[]]>([
    ['to a host that does not exist', 'stays', () => ({ targetHost: 'nowhere' }), ['HostNotFound']],
    ['to the host where it is', 'stays', () => ({ targetHost: host }), ['IsSource']],
    ['of a VM that is off', 'halted', () => ({}), ['NotRunning']],
    ['of a VM that does not exist', 'nobody', () => ({}), ['VirtualMachineNotFound']],
  ])('%s is refused at once, and changes nothing', async (_what, vm, spec, reasons) => {
    const name = `refused-${reasons.join('-').toLowerCase()}`;
    await story.apply(migration(name, vm, spec()));
    const { status } = await over(name);
    expect(status?.failures?.map(({ reason }) => reason)).toEqual(reasons);
    expect(status?.conditions.find(({ type }) => type === 'Stalled')).toMatchObject({
      status: 'True',
      reason: reasons[0],
    });
    expect((await story.running('stays')).status).toMatchObject({ host, epoch: 1 });
  });

  it('because another one has the VM names that one', async () => {
    await story.apply(guestVM('busy'));
    await story.running('busy');
    await slowly('slow', 'busy');
    await story.apply(migration('second', 'busy'));
    expect((await over('second')).status?.failures).toMatchObject([
      { reason: 'MigrationInProgress', message: expect.stringContaining('Migration "slow" is moving the VM') },
    ]);
  });

  it('any more is stopped by deleting it, and the VM stays', async () => {
    const busy = await story.vmWhen('busy', 'to be shown migrating', ({ status }) => status?.phase === 'Migrating');
    expect(busy.status?.conditions.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'True' });
    await story.kubectl(['delete', 'migration', 'slow', '--timeout=60s']);
    expect((await story.running('busy')).status?.host).toBe(busy.status?.host);
    expect((await story.domains()).filter(({ domain }) => domain === 'default_busy')).toEqual([
      { host: busy.status?.host, domain: 'default_busy' },
    ]);
  });

  it('shows how far it is, and is stopped when its VM is halted', async () => {
    await slowly('unwanted', 'busy');
    const seen = await story.when(
      Migration,
      { namespace: 'default', name: 'unwanted' },
      'to show figures',
      ({ status }) => Boolean(status?.progress),
    );
    expect(seen.status?.progress?.totalBytes).toBeGreaterThan(128 * 2 ** 20);
    expect(seen.status?.progress?.bytesPerSecond).toBeGreaterThan(0);
    expect(seen.status?.progressPercent).toBeLessThan(100);
    await story.kubectl(['patch', 'vm', 'busy', '--type=merge', '-p', '{"spec":{"runStrategy":"Halted"}}']);
    expect((await over('unwanted')).status?.failures?.[0]?.reason).toBe('Cancelled');
    await story.vmWhen('busy', 'to be off', ({ status }) => status?.phase === 'Halted');
  });
});
