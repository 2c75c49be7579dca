import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WorkQueue } from '../../../src/runtime/index.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';

const backoff = { initialMs: 100, maxMs: 1_000, factor: 2, jitterFraction: 0 };

interface Worker {
  /** Keys that were handed out and are not finished. */
  inWork: string[];
  /** All keys ever handed out. */
  taken: string[];
}

/** Takes whatever the queue hands out, until it is closed. */
function work(queue: WorkQueue, workers: number): Worker {
  const worker: Worker = { inWork: [], taken: [] };
  const takeNext = async (): Promise<void> => {
    const key = await queue.take();
    if (key === undefined) return;
    expect(worker.inWork).not.toContain(key);
    worker.inWork.push(key);
    worker.taken.push(key);
    await takeNext();
  };
  for (let i = 0; i < workers; i++) takeNext().catch((error: unknown) => worker.taken.push(String(error)));
  return worker;
}

function finish(queue: WorkQueue, worker: Worker, key: string): void {
  worker.inWork.splice(worker.inWork.indexOf(key), 1);
  queue.finish(key);
}

describe('WorkQueue', () => {
  it('hands out each key once, in the order in which they became due', async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue({ clock });
    for (const key of ['b', 'a', 'b', 'c', 'a']) queue.add(key);
    const worker = work(queue, 1);
    await clock.advance(0);
    expect(worker.taken).toEqual(['b', 'a', 'c']);
  });

  it('keeps a key that changes while it is worked on until that work is over', async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue({ clock });
    const worker = work(queue, 3);
    queue.add('a');
    await clock.advance(0);
    queue.add('a');
    queue.add('a');
    await clock.advance(0);
    expect(worker.taken).toEqual(['a']);
    finish(queue, worker, 'a');
    await clock.advance(0);
    expect(worker.taken).toEqual(['a', 'a']);
  });

  it('waits longer after each failure of a key, up to the cap, and starts anew once it succeeded', () => {
    const queue = new WorkQueue({ clock: new VirtualClock(), backoff });
    const delays = Array.from({ length: 6 }, () => queue.addWithBackoff('a'));
    expect(delays).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(queue.addWithBackoff('b')).toBe(100);
    queue.forget('a');
    expect([queue.failuresOf('a'), queue.addWithBackoff('a')]).toEqual([0, 100]);
  });

  it('hands out a delayed key at its time, or at once when it becomes due before', async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue({ clock });
    const worker = work(queue, 3);
    queue.addAfter('late', 5_000);
    queue.addAfter('late', 9_000);
    queue.addAfter('soon', 5_000);
    await clock.advance(4_999);
    expect(worker.taken).toEqual([]);
    queue.add('soon');
    await clock.advance(1);
    expect(worker.taken).toEqual(['soon', 'late']);
    await clock.advance(10_000);
    expect(worker.taken).toEqual(['soon', 'late']);
  });

  it('takes the earlier of two delays', async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue({ clock });
    const worker = work(queue, 1);
    queue.addAfter('a', 9_000);
    queue.addAfter('a', 2_000);
    await clock.advance(2_000);
    expect(worker.taken).toEqual(['a']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('hands out nothing once it is closed, and leaves no timer behind', async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue({ clock });
    queue.add('a');
    queue.addAfter('b', 100);
    queue.close();
    queue.add('c');
    queue.addAfter('d', 100);
    expect(await queue.take()).toBeUndefined();
    expect([queue.depth, clock.pendingTimers]).toEqual([{ due: 0, delayed: 0, inWork: 0 }, 0]);
  });
});

const keys = fc.constantFrom('a', 'b', 'c', 'd');
const steps = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key: keys }),
  fc.record({ do: fc.constant('addAfter' as const), key: keys, ms: fc.integer({ min: 1, max: 500 }) }),
  fc.record({ do: fc.constant('fail' as const), pick: fc.nat(3) }),
  fc.record({ do: fc.constant('finish' as const), pick: fc.nat(3) }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 300 }) }),
);
type Step = typeof steps extends fc.Arbitrary<infer S> ? S : never;

/** @returns the key that was asked for, and must be handed out again after this moment. */
async function play(step: Step, queue: WorkQueue, worker: Worker, clock: VirtualClock): Promise<string | undefined> {
  const picked = 'pick' in step ? worker.inWork[step.pick % Math.max(worker.inWork.length, 1)] : undefined;
  switch (step.do) {
    case 'add':
      queue.add(step.key);
      return step.key;
    case 'addAfter':
      queue.addAfter(step.key, step.ms);
      return step.key;
    case 'fail':
      if (picked === undefined) return undefined;
      queue.addWithBackoff(picked);
      finish(queue, worker, picked);
      return picked;
    case 'finish':
      if (picked !== undefined) finish(queue, worker, picked);
      return undefined;
    case 'advance':
      await clock.advance(step.ms);
      return undefined;
  }
}

describe('WorkQueue, whatever happens in whatever order', () => {
  it('loses no key, hands out none twice at a time, and never holds more than the distinct keys', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (script, workers) => {
        const clock = new VirtualClock();
        const queue = new WorkQueue({ clock, backoff });
        const worker = work(queue, workers);
        const owed = new Map<string, number>();
        for (const step of script) {
          const key = await play(step, queue, worker, clock);
          if (key !== undefined) owed.set(key, worker.taken.length);
          await clock.advance(0);
          const { due, delayed, inWork } = queue.depth;
          expect(inWork).toBe(worker.inWork.length);
          // A key in work may also be due again, and have a delay besides: never more.
          expect(due).toBeLessThanOrEqual(4);
          expect(delayed).toBeLessThanOrEqual(4);
        }
        // Let everything that is due, or will be, be worked on.
        for (let round = 0; round < 20; round++) {
          for (const key of [...worker.inWork]) finish(queue, worker, key);
          await clock.advance(1_000);
        }
        for (const [key, since] of owed) expect(worker.taken.slice(since)).toContain(key);
        expect([queue.depth.due, queue.depth.delayed, clock.pendingTimers]).toEqual([0, 0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
