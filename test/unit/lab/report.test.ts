import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { lines } from '../../lab/report.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the report of a step', () => {
  it('is one line when the step is quick', async () => {
    const said: string[] = [];
    expect(await lines((line) => said.push(line)).step('etcd', async () => 7)).toBe(7);
    expect(said).toEqual(['etcd: done']);
  });

  it('says at least every 5 s that a long step is alive, and how far it is', async () => {
    const said: { line: string; at: number }[] = [];
    const report = lines((line) => said.push({ line, at: performance.now() }));
    const step = report.step('kubectl', async (progress) => {
      for (let done = 1; done <= 6; done++) {
        progress(`${done} of 6`);
        await new Promise((resolve) => setTimeout(resolve, 3_000));
      }
    });
    await vi.advanceTimersByTimeAsync(18_000);
    await step;
    const times = [0, ...said.map(({ at }) => at)];
    for (let index = 1; index < times.length; index++) {
      expect((times[index] ?? 0) - (times[index - 1] ?? 0)).toBeLessThanOrEqual(5_000);
    }
    expect(said[1]?.line).toBe('kubectl ... 4 s: 2 of 6');
    expect(said.at(-1)?.line).toBe('kubectl: done in 18 s');
  });

  it('ends with the step when that fails, and leaves no timer behind', async () => {
    const said: string[] = [];
    const failing = lines((line) => said.push(line)).step('hosts', () => Promise.reject(new Error('no bridge')));
    await expect(failing).rejects.toThrow('no bridge');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(said).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
