import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../lab/wait.ts';
import { disklessVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
});
afterAll(async () => {
  await story.cleanUp();
  await story.close();
});

const WRITES =
  /^apiserver_request_total\{.*resource="(virtualmachines|virtualmachineinstances|events)".*verb="(POST|PUT|PATCH|APPLY|DELETE)".*\} (\S+)$/;

/** Writes that the API server has served, by resource. Its own count: no writer can forget one. */
async function writesServed(): Promise<number> {
  const metrics = await story.kubectl(['get', '--raw', '/metrics']);
  return metrics.split('\n').reduce((sum, line) => sum + Number(WRITES.exec(line)?.[3] ?? 0), 0);
}

/** An event that happens again is written as a series, up to ten seconds later. */
const QUIET_MS = 12_000;

/** The count once nothing has been written for a while: what went before this test is no matter of its own. */
async function writesServedWhenQuiet(): Promise<number> {
  let last = { count: await writesServed(), atMs: performance.now() };
  return await waitFor(
    'the writes of earlier tests to end',
    async () => {
      const count = await writesServed();
      if (count !== last.count) last = { count, atMs: performance.now() };
      return performance.now() - last.atMs > QUIET_MS
        ? { ready: true, value: count }
        : { ready: false, because: `${count} writes so far` };
    },
    { timeoutMs: 120_000, intervalMs: 1_000 },
  );
}

it('takes at most four API writes for a VM from creation to Running', async () => {
  const count = 10;
  const names = Array.from({ length: count }, (_, index) => `budget-${index}`);
  const before = await writesServedWhenQuiet();
  await story.apply(...names.map((name) => disklessVM(name)));
  await Promise.all(names.map((name) => story.running(name)));
  const users = count;
  const ours = (await writesServed()) - before - users;
  expect(ours / count).toBeLessThanOrEqual(4);
});
