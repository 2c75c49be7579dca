import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import { nextTerm } from '../../src/core/ha/term.ts';
import { HaStory } from './ha-story.ts';
import type { Story } from './story.ts';

let ha: HaStory;
let story: Story;

beforeAll(async () => {
  const policy = { fencing: { order: ['StorageLease'] }, isolationResponse: 'PowerOff' };
  ha = await HaStory.open('isolation', { policy, keepers: true });
  story = ha.story;
});
afterAll(async () => await ha.close());

describe('a host that alone is cut off, and is to power its VMs off then', () => {
  let host = '';

  it('ends them, gives its lease up, and they run elsewhere by that proof, while it is not reset', async () => {
    host = await ha.counting('lonely');
    await story.when(Host, { name: host }, 'to know what it does when it is cut off', ({ status }) => {
      return status?.isolation?.response === 'PowerOff' && status.isolation.peers.length === 2;
    });
    await story.lab.cut(host);
    const { status } = await ha.movedFrom('lonely', host);
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'StorageLease' });
    await ha.hadOneOwner('lonely', [host, status?.host ?? ''], 2);
    expect(ha.keepers.resetsOf(host)).toBe(0);
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
    expect(await ha.copiesOf('lonely')).toHaveLength(1);
  });

  it('does the same when its agent begins only then, which knows no VM', async () => {
    host = await ha.counting('forsaken');
    await story.lab.cut(host);
    await story.lab.stopAgent(host, 'killed');
    await story.lab.startAgent(host);
    const { status } = await ha.movedFrom('forsaken', host);
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'StorageLease' });
    await ha.hadOneOwner('forsaken', [host, status?.host ?? ''], 2);
    await story.lab.heal(host);
    await ha.hostWhen(host, { state: 'Online' });
  });
});
