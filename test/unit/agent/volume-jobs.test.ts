import { describe, expect, it } from 'vitest';
import { VolumeJobs } from '../../../src/agent/volumes/jobs.ts';
import { systemClock } from '../../../src/runtime/index.ts';

const target = (key: string, changes: object = {}) => ({ key, uid: 'u', generation: 1, ...changes });

/** Work that ends when the test says so. */
function controlled() {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const work = async (given: AbortSignal) => {
    signal = given;
    begun.resolve();
    given.addEventListener('abort', () => gate.reject(given.reason), { once: true });
    await gate.promise;
  };
  return {
    work,
    begun: begun.promise,
    end: gate.resolve,
    fail: gate.reject,
    isAborted: () => signal?.aborted ?? false,
  };
}

function jobsOf(atOnce: number) {
  const ended: string[] = [];
  const waiting = new Map<string, () => void>();
  const jobs = new VolumeJobs({
    atOnce,
    retryMs: 60_000,
    clock: systemClock,
    onEnd: (key, _kind, failure) => {
      ended.push(failure === undefined ? key : `${key}: ${failure.reason}`);
      waiting.get(key)?.();
    },
  });
  const end = (key: string) => new Promise<void>((resolve) => waiting.set(key, resolve));
  return { jobs, ended, end };
}

describe('VolumeJobs', () => {
  it('does so many at once and lets the others wait', async () => {
    const { jobs, end } = jobsOf(1);
    const [first, second] = [controlled(), controlled()];
    jobs.start(target('a'), 'Create', first.work);
    jobs.start(target('b'), 'Create', second.work);
    await first.begun;
    expect([jobs.find('a')?.started, jobs.find('b')?.started]).toEqual([true, false]);
    const firstEnded = end('a');
    first.end();
    await firstEnded;
    await second.begun;
    expect(jobs.find('b')?.started).toBe(true);
    await jobs.close();
  });

  it('remembers a failure until its time is over, the spec changes or the Volume is another', async () => {
    const { jobs, ended, end } = jobsOf(1);
    const job = controlled();
    const jobEnded = end('a');
    jobs.start(target('a'), 'Create', job.work);
    job.fail(new Error('broken'));
    await jobEnded;
    expect(ended).toEqual(['a: StorageFailed']);
    expect(jobs.failureOf(target('a'))).toMatchObject({ failure: { reason: 'StorageFailed', message: 'broken' } });
    expect(jobs.failureOf(target('a', { generation: 2 }))).toBeUndefined();
    expect(jobs.failureOf(target('a', { uid: 'other' }))).toBeUndefined();
  });

  it('cancels: the work is told, and no failure is left', async () => {
    const { jobs, ended } = jobsOf(1);
    const job = controlled();
    jobs.start(target('a'), 'Create', job.work);
    await job.begun;
    await jobs.cancel('a');
    expect(job.isAborted()).toBe(true);
    expect(jobs.find('a')).toBeUndefined();
    expect(jobs.failureOf(target('a'))).toBeUndefined();
    expect(ended).toEqual(['a']);
  });

  it('cancels one that has not begun without ever beginning it', async () => {
    const { jobs } = jobsOf(1);
    const [first, second] = [controlled(), controlled()];
    jobs.start(target('a'), 'Create', first.work);
    jobs.start(target('b'), 'Create', second.work);
    await first.begun;
    const cancelled = jobs.cancel('b');
    first.end();
    await cancelled;
    expect(second.isAborted()).toBe(false);
    expect(jobs.running).toBe(0);
  });
});
