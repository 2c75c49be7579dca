import { afterAll, beforeAll, expect, it } from 'vitest';
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

it('takes at most four API writes for a VM from creation to Running', async () => {
  const count = 10;
  const names = Array.from({ length: count }, (_, index) => `budget-${index}`);
  const before = await writesServed();
  await story.apply(...names.map((name) => disklessVM(name)));
  await Promise.all(names.map((name) => story.running(name)));
  const users = count;
  const ours = (await writesServed()) - before - users;
  expect(ours / count).toBeLessThanOrEqual(4);
});
