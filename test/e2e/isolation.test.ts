import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import { nextTerm } from '../../src/core/ha/term.ts';
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
    metadata: { name: 'isolation' },
    spec: { fencing: { order: ['StorageLease'] }, isolationResponse: 'PowerOff' },
  });
  await patchCluster({ ha: { enabled: true, policyName: 'isolation' } });
  await Promise.all(story.lab.hosts.map((host) => keepers.guard(host)));
});

afterAll(async () => {
  await keepers.end();
  await patchCluster({ ha: null });
  await story.kubectl(['delete', 'hapolicy', 'isolation', '--ignore-not-found']);
  await story.hostsReady();
  await story.cleanUp();
  await story.close();
});

const patchCluster = (spec: object) =>
  story.kubectl(['patch', 'cluster', 'lab', '--type=merge', '--patch', JSON.stringify({ spec })]);

describe('a host that alone is cut off, and is to power its VMs off then', () => {
  let host = '';

  it('ends them, gives its lease up, and they run elsewhere by that proof, while it is not reset', async () => {
    await story.apply(guestVM('lonely'));
    host = (await story.running('lonely')).status?.host ?? '';
    await story.says(host, 'lonely', /counter=/);
    await story.when(Host, { name: host }, 'to know what it does when it is cut off', ({ status }) => {
      return status?.isolation?.response === 'PowerOff' && status.isolation.peers.length === 2;
    });
    await story.lab.cut(host);
    const { status } = await story.vmWhen(
      'lonely',
      `to run elsewhere than on ${host}`,
      (vm) => vm.status?.phase === 'Running' && vm.status.host !== host,
    );
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'StorageLease' });
    expect((await story.domains()).filter(({ domain }) => domain === 'default_lonely')).toEqual([
      { host: status?.host, domain: 'default_lonely' },
    ]);
    expect((await story.booted('lonely', [host, status?.host ?? ''], 2)).verdict).toEqual({ ok: true });
    expect(keepers.resetsOf(host)).toBe(0);
  });

  it('says what it did when it is back, and serves again in the next term of its boot', async () => {
    const next = nextTerm((await story.client.get(Host, { name: host })).status?.bootID ?? '');
    await story.lab.heal(host);
    const { status } = await story.when(Host, { name: host }, 'to say that it was isolated', (each) =>
      Boolean(each.status?.conditions.some(({ type, reason }) => type === 'Isolated' && reason === 'WasIsolated')),
    );
    expect(status?.bootID).toBe(next);
    const back = await story.when(Host, { name: host }, 'to be online', (each) => {
      return each.status?.availability?.state === 'Online' && each.status.storageLease?.state === 'Held';
    });
    expect(back.status?.bootID).toBe(next);
    expect((await story.domains()).filter(({ domain }) => domain === 'default_lonely')).toHaveLength(1);
  });
});
