import { describe, expect, it } from 'vitest';
import { Process } from './process.ts';
import { seededRandom } from './random.ts';
import { type Order, Timeline } from './timeline.ts';

async function played(order: Order): Promise<string[]> {
  const timeline = new Timeline(order);
  const seen: string[] = [];
  for (const [delayMs, what] of [
    [20, 'late'],
    [10, 'a'],
    [10, 'b'],
    [10, 'c'],
    [10, 'd'],
    [0, 'now'],
  ] as const) {
    timeline.after(delayMs, () => seen.push(`${timeline.nowMs} ${what}`));
  }
  await timeline.run(100, () => undefined);
  return seen;
}

describe('virtual time', () => {
  it('goes by time, then by the order of making', async () => {
    expect(await played({ kind: 'fixed' })).toEqual(['0 now', '10 a', '10 b', '10 c', '10 d', '20 late']);
  });

  it('mixes what is due together as a seed says, and nothing else', async () => {
    const orders = await Promise.all([1, 2, 3].map((seed) => played({ kind: 'random', random: seededRandom(seed) })));
    const again = await played({ kind: 'random', random: seededRandom(1) });
    expect(again).toEqual(orders[0]);
    expect(new Set(orders.map(String)).size).toBeGreaterThan(1);
    for (const order of orders) expect(order.toSorted()).toEqual((await played({ kind: 'fixed' })).toSorted());
  });

  it('stands still until all that follows from a step is worked off', async () => {
    const timeline = new Timeline({ kind: 'fixed' });
    const seen: number[] = [];
    const work = async () => {
      for (let count = 0; count < 200; count++) await null;
      seen.push(timeline.nowMs);
    };
    timeline.after(10, () => void work());
    timeline.after(11, () => undefined);
    await timeline.run(100, () => undefined);
    expect(seen).toEqual([10]);
  });

  it('ends with what is thrown after a step', async () => {
    const timeline = new Timeline({ kind: 'fixed' });
    timeline.after(10, () => undefined);
    const broken = timeline.run(100, () => {
      if (timeline.nowMs > 0) throw new Error('broken');
    });
    await expect(broken).rejects.toThrow('broken');
  });
});

describe('a process', () => {
  it('that stands still hears of everything when it goes on', async () => {
    const timeline = new Timeline({ kind: 'fixed' });
    const process = new Process('it', timeline);
    const fired: number[] = [];
    process.clock.setTimeout(() => fired.push(process.clock.monotonicMs()), 10);
    process.pause('test');
    timeline.after(50, () => process.resume('test'));
    await timeline.run(100, () => undefined);
    expect(fired).toEqual([50]);
  });

  it('that is killed hears of nothing any more', async () => {
    const timeline = new Timeline({ kind: 'fixed' });
    const process = new Process('it', timeline);
    const fired: number[] = [];
    process.clock.setTimeout(() => fired.push(1), 10);
    timeline.after(5, () => process.kill());
    await timeline.run(100, () => undefined);
    expect(fired).toEqual([]);
  });
});
