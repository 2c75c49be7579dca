import { expect, it } from 'vitest';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { Process } from '../engine/process.ts';
import { seededRandom } from '../engine/random.ts';
import { Timeline } from '../engine/timeline.ts';
import { Link } from './link.ts';
import { ApiServer } from './server.ts';
import { openWatch } from './watch.ts';

it('a watch that is given up while a cut network still holds it ends at once, and not when it is mended', async () => {
  const timeline = new Timeline({ kind: 'fixed' });
  const link = new Link(seededRandom(1));
  const process = new Process('operator', timeline);
  const caller = new AbortController();
  const options = { server: new ApiServer(timeline), timeline, link, process, admission: () => undefined };
  link.set({ state: 'Dropped' });
  const watch = openWatch(options, VirtualMachine, { resourceVersion: '1', signal: caller.signal });
  let ended: string | undefined;
  watch.next().catch((error: Error) => {
    ended = `${timeline.nowMs} ${error.message}`;
  });
  timeline.after(5000, () => caller.abort());
  timeline.after(7000, () => link.heal());
  await timeline.run(60_000, () => undefined);
  expect(ended).toBe('5000 watch virtualmachines: Aborted');
});
