import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import { SHARED_DATASTORE_PATH } from '../lab/host/host-files.ts';
import { LeaseKeepers } from './lease-keepers.ts';
import { guestVM, Story } from './story.ts';

let story: Story;
let keepers: LeaseKeepers;

beforeAll(async () => {
  story = await Story.open();
  keepers = new LeaseKeepers(story);
  await story.hostsReady();
  await story.apply({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'HAPolicy',
    metadata: { name: 'by-lease' },
    spec: { fencing: { order: ['StorageLease'] } },
  });
  await patchCluster({ ha: { enabled: true, policyName: 'by-lease' } });
  await Promise.all(story.lab.hosts.map((host) => keepers.guard(host)));
});

afterAll(async () => {
  await keepers.end();
  await patchCluster({ ha: null });
  await story.kubectl(['delete', 'hapolicy', 'by-lease', '--ignore-not-found']);
  await story.hostsReady();
  await story.cleanUp();
  await story.close();
});

const patchCluster = (spec: object) =>
  story.kubectl(['patch', 'cluster', 'lab', '--type=merge', '--patch', JSON.stringify({ spec })]);

describe('a host without BMC', () => {
  let host = '';

  const stateOfHost = (state: string) =>
    story.when(Host, { name: host }, `to be ${state}`, ({ status }) => status?.availability?.state === state);

  it('that is cut off and reaches its storage is isolated, its VMs run on, and nobody resets it', async () => {
    await story.apply(guestVM('leased'));
    host = (await story.running('leased')).status?.host ?? '';
    await story.says(host, 'leased', /counter=/);
    await story.lab.cut(host);
    await stateOfHost('Isolated');
    // Longer than any proof would take.
    await new Promise((resolve) => setTimeout(resolve, 40_000));
    await stateOfHost('Isolated');
    expect(await story.domains()).toContainEqual({ host, domain: 'default_leased' });
    expect(keepers.resetsOf(host)).toBe(0);
    await story.lab.heal(host);
    await stateOfHost('Online');
    expect((await story.vm('leased')).status?.epoch).toBe(1);
  });

  it('that dies is proven to be over by its lease, and its VMs run elsewhere', async () => {
    await story.lab.killHost(host);
    const { status } = await story.vmWhen(
      'leased',
      'to run elsewhere',
      (vm) => vm.status?.host !== host && vm.status?.phase === 'Running',
    );
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'StorageLease' });
    expect((await story.domains()).filter(({ domain }) => domain === 'default_leased')).toHaveLength(1);
    expect((await story.booted('leased', [host, status?.host ?? ''], 2)).verdict).toEqual({ ok: true });
  });

  it('is back with its next boot', async () => {
    await story.lab.powerOn(host);
    await stateOfHost('Online');
    await keepers.guard(story.lab.host(host));
  });

  it('that loses its storage ends its VMs and says so: they run elsewhere, and it serves again without a reboot', async () => {
    await story.apply(guestVM('stranded'));
    host = (await story.running('stranded')).status?.host ?? '';
    await story.says(host, 'stranded', /counter=/);
    const { bootID } = (await story.client.get(Host, { name: host })).status ?? {};
    const cutAt = Date.now();
    // Its guests keep the files that they have open; nothing new is found there, as on a server that is gone.
    await story.lab.host(host).run('mount', ['-t', 'tmpfs', 'none', SHARED_DATASTORE_PATH]);
    const { status } = await story.vmWhen(
      'stranded',
      'to run elsewhere',
      (vm) => vm.status?.host !== host && vm.status?.phase === 'Running',
    );
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'StorageLease' });
    expect(Date.parse(status?.lastFailover?.runningAt ?? '') - cutAt).toBeLessThan(45_000);
    const lapsed = await story.client.get(Host, { name: host });
    expect(lapsed.status).toMatchObject({
      bootID,
      storageLease: { state: 'Over' },
      availability: { state: 'Fenced', reason: 'AwaitsStorage', fence: { bootID, method: 'StorageLease' } },
    });
    expect((await story.domains()).filter(({ domain }) => domain === 'default_stranded')).toHaveLength(1);

    await story.lab.host(host).run('umount', [SHARED_DATASTORE_PATH]);
    const again = await stateOfHost('Online');
    expect(again.status).toMatchObject({ bootID: `${bootID}.2`, storageLease: { state: 'Held' } });
    await story.apply(guestVM('again', { hostSelector: { matchLabels: { 'kubernetes.io/hostname': host } } }));
    expect((await story.running('again')).status?.host).toBe(host);
    await story.says(host, 'again', /counter=/);
    expect((await story.booted('stranded', [host, status?.host ?? ''], 2)).verdict).toEqual({ ok: true });
    expect(keepers.resetsOf(host)).toBe(0);
  });
});
