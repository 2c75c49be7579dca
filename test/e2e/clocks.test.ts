import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Migration } from '../../src/api/migration.ts';
import { waitFor } from '../lab/wait.ts';
import { HaStory } from './ha-story.ts';
import type { Story } from './story.ts';

const DAY_SECONDS = 86_400;

let ha: HaStory;
let story: Story;

beforeAll(async () => {
  ha = await HaStory.open('wrong-clocks', { policy: { datastoreFault: { action: 'Restart' } } });
  story = ha.story;
});
afterAll(async () => {
  for (const { name } of story.lab.hosts) await story.lab.setClock(name, undefined);
  await ha.patch('cluster', 'lab', { migration: { bandwidth: null } });
  await ha.close();
});

describe('a VM of a host whose clock is wrong', () => {
  let host = '';

  /** How far the clock is ahead by which its agent renews its lease. */
  const renewedAheadSeconds = async () => {
    const path = 'jsonpath={.spec.renewTime}';
    const renewTime = await story.kubectl(['get', 'lease', '-n', 'drover-system', `host-${host}`, '-o', path]);
    return (Date.parse(renewTime) - Date.now()) / 1000;
  };

  it('runs on when the clock leaps a day ahead, and when it is set back, and nobody fences its host', async () => {
    host = await ha.counting('clock');
    for (const aheadSeconds of [DAY_SECONDS, 0, DAY_SECONDS]) {
      await story.lab.setClock(host, aheadSeconds);
      await story.hostsReady();
      // Longer than a failover takes.
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      await ha.hostWhen(host, { state: 'Online', reason: 'Alive' });
    }
    expect(await renewedAheadSeconds()).toBeGreaterThan(DAY_SECONDS - 60);
    expect((await story.instance('clock')).spec).toMatchObject({ host, epoch: 1 });
    await ha.hadOneOwner('clock', [host], 1);
  });

  it('is moved off a lost datastore, which the host says it will lose tomorrow', async () => {
    const lostAt = Date.now();
    await story.lab.loseDatastore(host);
    const { status } = await ha.movedFrom('clock', host);
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'HostConfirmed' });
    expect(Date.parse(status?.lastFailover?.detectedAt ?? '') - lostAt).toBeGreaterThan((DAY_SECONDS - 60) * 1000);
    await story.lab.bringDatastoreBack(host);
    await ha.hadOneOwner('clock', [host, status?.host ?? ''], 2);
  });

  it('runs elsewhere when the host dies, as if the clock were right', async () => {
    host = await ha.counting('clock-dies');
    await story.lab.setClock(host, DAY_SECONDS);
    await story.hostsReady();
    await ha.hostWhen(host, { state: 'Online', reason: 'Alive' });
    await story.lab.killHost(host);
    const { status } = await ha.movedFrom('clock-dies', host);
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'BMC' });
    await story.lab.powerOn(host);
    await ha.hostWhen(host, { state: 'Online' });
    await ha.hadOneOwner('clock-dies', [host, status?.host ?? ''], 2);
  });

  it('is not started a second time where it came from a host whose clock is ahead, and is migrated on while the agent is away', async () => {
    const name = 'clock-moved';
    const ref = (migration: string) => ({ namespace: 'default', name: migration });
    const move = async (migration: string, targetHost: string) => {
      const spec = { virtualMachineName: name, targetHost };
      await story.apply({
        apiVersion: 'drover.dev/v1alpha1',
        kind: 'Migration',
        metadata: ref(migration),
        spec,
      });
    };
    const isOver = async (migration: string) =>
      await story.when(Migration, ref(migration), 'to be over', ({ status }) => status?.phase === 'Succeeded');
    for (const each of story.lab.hosts) await story.lab.setClock(each.name, DAY_SECONDS);
    await story.hostsReady();
    host = await ha.counting(name);
    const [second = '', third = ''] = story.lab.hosts.map((each) => each.name).filter((each) => each !== host);
    for (const each of [second, third]) await story.lab.setClock(each, undefined);
    await story.hostsReady();
    await move('clock-first', second);
    await isOver('clock-first');
    // Slow enough for the agent to be killed meanwhile.
    await ha.patch('cluster', 'lab', { migration: { bandwidth: '8Mi' } });
    await move('clock-on', third);
    await story.when(Migration, ref('clock-on'), 'to copy', ({ status }) => status?.phase === 'Running');
    await story.lab.stopAgent(second, 'killed');
    await waitFor(
      'the guest to have left',
      async () => {
        const copies = await ha.copiesOf(name);
        const hasLeft = copies.length === 1 && copies[0]?.host === third;
        return hasLeft ? { ready: true, value: true } : { ready: false, because: JSON.stringify(copies) };
      },
      { timeoutMs: 120_000 },
    );
    await story.lab.startAgent(second);
    await isOver('clock-on');
    await ha.hadOneOwner(name, [host, second, third], 1);
  });
});
