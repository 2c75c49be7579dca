import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Host } from '../../../../src/api/host.ts';
import type { FailedStart } from '../../../../src/api/recovery.ts';
import {
  failedHosts,
  hasRun,
  isRecovering,
  isTakenBack,
  judgeRetrial,
  judgeStart,
  nextAttemptAtMs,
  triedWith,
} from '../../../../src/core/ha/recovery.ts';
import { instance, virtualMachine } from '../../../builders/objects.ts';

const DECIDED = '2026-03-01T12:00:00.000Z';
const DECIDED_MS = Date.parse(DECIDED);
const failover = {
  fromHost: 'h0',
  bootID: 'boot-0',
  proof: 'BMC',
  detectedAt: '2026-03-01T11:59:50.000Z',
  fencedAt: '2026-03-01T11:59:59.000Z',
  decidedAt: DECIDED,
  epoch: 2,
};
const restart = { maxConcurrentPerHost: 8, maxAttempts: 3, timeoutSeconds: 60 };
const attempt = (host: string, epoch: number, at = DECIDED): FailedStart => ({
  host,
  epoch,
  at,
  reason: 'MemoryUnavailable',
  message: 'no memory',
});

function host(ready: 'True' | 'Unknown' = 'True', since = '2026-03-01T10:00:00.000Z', bootID = 'boot-1'): Host {
  const lastTransitionTime = '2026-02-01T00:00:00.000Z';
  const condition = { type: 'Ready', status: ready, reason: 'AgentReady', message: '', lastTransitionTime };
  const availability = { state: 'Online', since, bootID, reason: 'Alive', message: '' };
  return Host.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Host',
    metadata: { name: 'h1', uid: 'h', generation: 1 },
    spec: {},
    status: { bootID: 'boot-1', conditions: [condition], availability },
  });
}

/** The second placement, which a failover has chosen, and what h1 says of it. */
const placed = (status: object = {}, changes: object = {}) =>
  instance({
    metadata: { generation: 4 },
    spec: { epoch: 2, failover: { ...failover, ...changes } },
    status: { host: 'h1', observedEpoch: 2, observedGeneration: 4, conditions: [], ...status },
  });
const judged = (given: ReturnType<typeof placed>, afterSeconds: number, on: Host | undefined = host()) =>
  judgeStart(given, virtualMachine(), on, restart, DECIDED_MS + afterSeconds * 1000);

describe('a start that a failover asked a host for', () => {
  it('has failed when the host says so of this very intent', () => {
    const refused = { phase: 'Failed', reason: 'MemoryUnavailable', message: 'no memory' };
    expect(judged(placed(refused), 1)).toEqual({
      verdict: 'Failed',
      reason: 'MemoryUnavailable',
      message: 'no memory',
    });
    expect(judged(placed({ ...refused, observedGeneration: 3 }), 1).verdict).toBe('Starting');
    expect(judged(placed({ ...refused, observedEpoch: 1 }), 1).verdict).toBe('Starting');
    expect(judged(placed({ ...refused, host: 'h0' }), 1).verdict).toBe('Starting');
  });

  it('is not given to another host because of a lock on a disk, which would hold there, too, before its time is over', () => {
    const locked = { phase: 'Failed', reason: 'DiskLocked', message: 'locked' };
    expect(judged(placed(locked), 59).verdict).toBe('Starting');
    expect(judged(placed(locked), 60)).toMatchObject({
      reason: 'StartTimedOut',
      message: 'it did not run within 60 s; it says: locked',
    });
  });

  it('has failed when the VM does not run in time', () => {
    expect(judged(placed({ phase: 'Starting' }), 59.999)).toEqual({
      verdict: 'Starting',
      untilMs: DECIDED_MS + 60_000,
    });
    expect(judged(placed({ phase: 'Starting' }), 60)).toMatchObject({ verdict: 'Failed', reason: 'StartTimedOut' });
    expect(judged(placed(), 60)).toMatchObject({ verdict: 'Failed' });
  });

  it('is waited for as long as the host is away, which could not give it back; one that comes back has its whole time', () => {
    expect(judged(placed(), 3600, host('Unknown'))).toEqual({ verdict: 'Starting' });
    expect(judgeStart(placed(), virtualMachine(), undefined, restart, DECIDED_MS + 3600_000)).toEqual({
      verdict: 'Starting',
    });
    const back = host('True', '2026-03-01T12:59:00.000Z');
    expect(judged(placed(), 3599, back).verdict).toBe('Starting');
    expect(judged(placed(), 3600, back).verdict).toBe('Failed');
    expect(judged(placed(), 3600, host('True', '2026-03-01T10:00:00.000Z', 'boot-0'))).toEqual({ verdict: 'Starting' });
    const ahead = host('True', '2026-03-02T12:00:00.000Z');
    expect(judged(placed(), 3600, ahead).verdict).toBe('Failed');
  });

  it.each(['Running', 'Paused', 'CrashLoop', 'Off'])('is over once the VM has run there: %s', (phase) => {
    expect(judged(placed({ phase }), 3600)).toEqual({ verdict: 'Started' });
    expect(isRecovering(placed({ phase }))).toBe(false);
  });

  it('has not failed when the VM has run there and cannot be started again: that is another story', () => {
    const crashed = { phase: 'Failed', lastStop: { at: '2026-03-01T12:00:30.000Z', reason: 'Crashed' } };
    expect(judged(placed(crashed), 40).verdict).toBe('Started');
    const before = { phase: 'Failed', lastStop: { at: '2026-02-01T12:00:30.000Z', reason: 'Crashed' } };
    expect(judged(placed(before), 40).verdict).toBe('Failed');
    const runningAt = '2026-03-01T12:00:20.000Z';
    const { fromHost: from, detectedAt, decidedAt, proof } = failover;
    const lastFailover = { from, to: 'h1', detectedAt, decidedAt, proof, runningAt };
    expect(hasRun(placed({ phase: 'Failed' }), virtualMachine({ status: { conditions: [], lastFailover } }))).toBe(
      true,
    );
  });

  it('is none of a placement that was made otherwise, or is to be off', () => {
    expect(judged(placed({ phase: 'Failed' }, { epoch: 1 }), 3600).verdict).toBe('Started');
    const off = instance({ spec: { epoch: 2, failover, powerState: 'Off' } });
    expect(judgeStart(off, virtualMachine(), host(), restart, DECIDED_MS + 3600_000).verdict).toBe('Started');
  });
});

describe('a placement that has failed', () => {
  it('is taken back by the very entry that remembers it', () => {
    expect(isTakenBack({ epoch: 2, failover: placed().spec.failover })).toBe(false);
    const tried = triedWith(placed(), { reason: 'StartTimedOut', message: 'x'.repeat(5000) }, DECIDED);
    expect(tried).toMatchObject([{ host: 'h1', epoch: 2, reason: 'StartTimedOut' }]);
    expect(tried[0]?.message).toHaveLength(1024);
    const back = placed({ phase: 'Failed' }, { tried });
    expect(isTakenBack(back.spec)).toBe(true);
    expect(isRecovering(back)).toBe(true);
    expect(isTakenBack({ ...back.spec, epoch: 3 })).toBe(false);
  });
});

describe('the next attempt', () => {
  it('follows the first failure at once, and later ones with growing pauses', () => {
    const pauses = [1, 2, 3, 4, 5, 12].map((failures) => {
      const tried = Array.from({ length: failures }, (_, index) => attempt(`h${index}`, index + 1));
      return Math.max(0, (nextAttemptAtMs(tried, DECIDED_MS) - DECIDED_MS) / 1000);
    });
    expect(pauses).toEqual([0, 10, 20, 40, 80, 300]);
  });

  it('is made on a host that has failed only a while later, the longer the more often it has', () => {
    const once = [attempt('h1', 1)];
    expect([...failedHosts(once, DECIDED_MS + 59_999).keys()]).toEqual(['h1']);
    expect([...failedHosts(once, DECIDED_MS + 60_000).keys()]).toEqual([]);
    const twice = [...once, attempt('h2', 2), attempt('h1', 3, '2026-03-01T12:02:00.000Z')];
    expect(failedHosts(twice, DECIDED_MS + 130_000)).toEqual(
      new Map([['h1', { reason: 'MemoryUnavailable', untilMs: DECIDED_MS + 240_000 }]]),
    );
  });
});

describe('a VM of which all attempts have failed', () => {
  const tried = [attempt('h1', 2), attempt('h2', 3), attempt('h1', 4)];
  const vm = { generation: 7, restartedAt: '' };
  const gaveUp = { at: DECIDED, generation: 7, restartedAt: '', hosts: ['h1', 'h2'] };
  const given = (record?: object) => placed({ phase: 'Off' }, { tried, ...(record && { gaveUp: record }) });

  it('has it written down what was the case then', () => {
    expect(judgeRetrial(given(), vm, ['h2', 'h1'], DECIDED)).toEqual({ retrial: 'GiveUp', record: gaveUp });
  });

  it('waits as long as nothing has changed', () => {
    expect(judgeRetrial(given(gaveUp), vm, ['h1', 'h2'], DECIDED)).toEqual({ retrial: 'Wait' });
  });

  it.each([
    ['its spec changes', { generation: 8, restartedAt: '' }, ['h1', 'h2'], []],
    ['a restart is asked for', { generation: 7, restartedAt: 'now' }, ['h1', 'h2'], []],
    ['another host can take it', vm, ['h1', 'h2', 'h3'], ['h3']],
  ])('is tried again when %s', (_, seen, fits, added) => {
    expect(judgeRetrial(given(gaveUp), seen, fits, DECIDED)).toMatchObject({ retrial: 'Resume', added });
  });

  it('is tried again when a host that could not take it for a while can again', () => {
    const gone = judgeRetrial(given(gaveUp), vm, ['h1'], DECIDED);
    expect(gone).toEqual({ retrial: 'GiveUp', record: { ...gaveUp, hosts: ['h1'] } });
    if (gone.retrial !== 'GiveUp') throw new Error('it was not written down');
    expect(judgeRetrial(given(gone.record), vm, ['h1', 'h2'], DECIDED)).toMatchObject({
      retrial: 'Resume',
      added: ['h2'],
    });
  });

  it('whatever hosts come and go, is tried again exactly when one is there that was away before', () => {
    const names = fc.uniqueArray(fc.constantFrom('h1', 'h2', 'h3', 'h4'));
    fc.assert(
      fc.property(names, fc.array(names, { maxLength: 8 }), (first, later) => {
        let record: typeof gaveUp = { ...gaveUp, hosts: first.toSorted() };
        let before = new Set<string>(first);
        for (const fits of later) {
          const { retrial, ...rest } = judgeRetrial(given(record), vm, fits, DECIDED);
          expect(retrial === 'Resume').toBe(fits.some((name) => !before.has(name)));
          if (retrial === 'Resume') return;
          if ('record' in rest) record = rest.record;
          before = new Set(fits);
        }
      }),
    );
  });
});
