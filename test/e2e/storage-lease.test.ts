import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import { SHARED_DATASTORE_PATH } from '../lab/host/host-files.ts';
import { HaStory, onHosts } from './ha-story.ts';
import type { Story } from './story.ts';

let ha: HaStory;
let story: Story;

beforeAll(async () => {
  ha = await HaStory.open('by-lease', { policy: { fencing: { order: ['StorageLease'] } }, keepers: true });
  story = ha.story;
});
afterAll(async () => await ha.close());

describe('a host without BMC', () => {
  let host = '';

  const isBack = async () => {
    await story.lab.powerOn(host);
    await ha.hostWhen(host, { state: 'Online' });
    await ha.keepers.guard(story.lab.host(host));
  };

  it('that is cut off and reaches its storage is isolated, its VMs run on, and nobody resets it', async () => {
    host = await ha.counting('leased');
    await story.lab.cut(host);
    await ha.hostWhen(host, { state: 'Isolated' });
    // Longer than any proof would take.
    await new Promise((resolve) => setTimeout(resolve, 40_000));
    await ha.hostWhen(host, { state: 'Isolated' });
    expect(await story.domains()).toContainEqual({ host, domain: 'default_leased' });
    expect(ha.keepers.resetsOf(host)).toBe(0);
    await story.lab.heal(host);
    await ha.hostWhen(host, { state: 'Online' });
    expect((await story.vm('leased')).status?.epoch).toBe(1);
  });

  it('that dies is proven to be over by its lease, and its VMs run elsewhere', async () => {
    await story.lab.killHost(host);
    const { status } = await ha.movedFrom('leased', host);
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'StorageLease' });
    await ha.hadOneOwner('leased', [host, status?.host ?? ''], 2);
  });

  it('is back with its next boot', async () => await isBack());

  it('that hangs is reset by its watchdog, which is part of the proof, and its VMs run elsewhere', async () => {
    host = await ha.counting('hung');
    await story.lab.freeze(host);
    const { status } = await ha.movedFrom('hung', host);
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'StorageLease' });
    expect([ha.keepers.resetsOf(host), story.lab.host(host).hasPower()]).toEqual([1, false]);
    await ha.hadOneOwner('hung', [host, status?.host ?? ''], 2);
    await isBack();
  });

  it('that loses its storage ends its VMs and says so: they run elsewhere, and it serves again without a reboot', async () => {
    host = await ha.counting('stranded');
    const { bootID } = (await story.client.get(Host, { name: host })).status ?? {};
    const cutAt = Date.now();
    // Its guests keep the files that they have open; nothing new is found there, as on a server that is gone.
    await story.lab.host(host).run('mount', ['-t', 'tmpfs', 'none', SHARED_DATASTORE_PATH]);
    const { status } = await ha.movedFrom('stranded', host);
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'StorageLease' });
    expect(Date.parse(status?.lastFailover?.runningAt ?? '') - cutAt).toBeLessThan(45_000);
    const lapsed = await story.client.get(Host, { name: host });
    expect(lapsed.status).toMatchObject({
      bootID,
      storageLease: { state: 'Over' },
      availability: { state: 'Fenced', reason: 'AwaitsStorage', fence: { bootID, method: 'StorageLease' } },
    });

    await story.lab.host(host).run('umount', [SHARED_DATASTORE_PATH]);
    const again = await ha.hostWhen(host, { state: 'Online' });
    expect(again.status).toMatchObject({ bootID: `${bootID}.2`, storageLease: { state: 'Held' } });
    expect(await ha.counting('again', onHosts(host))).toBe(host);
    await ha.hadOneOwner('stranded', [host, status?.host ?? ''], 2);
    expect(ha.keepers.resetsOf(host)).toBe(0);
  });
});
