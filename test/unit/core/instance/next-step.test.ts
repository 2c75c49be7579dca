import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextStep, type Situation, type Step } from '../../../../src/core/instance/index.ts';
import { ago, domain, ended, NOW, NOW_MS, run, type SituationChanges, situation } from '../../../builders/situation.ts';

type Row = [rule: string, when: SituationChanges, then: Partial<Step> & { step: Step['step'] }];

const askedPause = { running: false, pausedBy: 'Asked' } as const;
const ioError = { running: false, pausedBy: 'IOError' } as const;
const inTransition = { running: false, pausedBy: 'Transition' } as const;

const inStart = { running: false, pausedBy: 'Starting' } as const;

const epochs: Row[] = [
  ['refuses an older epoch than the host has seen', { spec: { epoch: 4 }, newestEpoch: 5 }, { step: 'RefuseEpoch' }],
  [
    'refuses it also to switch a newer domain off',
    { spec: { epoch: 4, powerState: 'Off' }, newestEpoch: 5, domain: domain({ epoch: 5 }) },
    { step: 'RefuseEpoch' },
  ],
  [
    'takes an older domain over before anything else',
    { spec: { epoch: 2, powerState: 'Off' }, newestEpoch: 2, domain: domain() },
    { step: 'Adopt' },
  ],
  ['accepts the newest epoch again', { spec: { epoch: 5 }, newestEpoch: 5 }, { step: 'Start' }],
];

const withDomain: Row[] = [
  ['leaves a running domain that shall run', { domain: domain() }, { step: 'Settled' }],
  ['pauses one that shall be paused', { spec: { powerState: 'Paused' }, domain: domain() }, { step: 'Suspend' }],
  [
    'leaves a paused one that shall be paused',
    { spec: { powerState: 'Paused' }, domain: domain({ state: askedPause }) },
    { step: 'Settled' },
  ],
  ['resumes one that somebody paused', { domain: domain({ state: askedPause }) }, { step: 'Resume' }],
  [
    'leaves alone what libvirt itself has paused for a moment',
    { domain: domain({ state: inTransition }) },
    { step: 'Settled' },
  ],
  [
    'asks nothing of a domain that libvirt is still starting, whatever is wanted',
    { spec: { powerState: 'Off', epoch: 2 }, domain: domain({ state: inStart }) },
    { step: 'AwaitStart' },
  ],
  [
    'waits before it resumes after an I/O error',
    { domain: domain({ state: ioError }) },
    { step: 'AwaitStorage', untilMs: NOW_MS + 10_000 },
  ],
  [
    'waits on until that time',
    { domain: domain({ state: ioError }), resumeAtMs: NOW_MS + 1 },
    { step: 'AwaitStorage', untilMs: NOW_MS + 1 },
  ],
  [
    'tries nothing after an I/O error while the host has lost the datastore: it would only fail again',
    { domain: domain({ state: ioError }), resumeAtMs: NOW_MS, lostDatastore: 'shared' },
    { step: 'AwaitStorage', untilMs: NOW_MS + 10_000 },
  ],
  [
    'ends one that waits for a lost datastore as soon as it is to be off without grace',
    { domain: domain({ state: ioError }), lostDatastore: 'shared', spec: { powerState: 'Off', gracePeriodSeconds: 0 } },
    { step: 'Destroy' },
  ],
  [
    'resumes after an I/O error when it has waited',
    { domain: domain({ state: ioError }), resumeAtMs: NOW_MS },
    { step: 'Resume' },
  ],
];

const stopping: Row[] = [
  [
    'asks the guest to shut down',
    { spec: { powerState: 'Off' }, domain: domain() },
    { step: 'Shutdown', powerOffAtMs: NOW_MS + 60_000 },
  ],
  [
    'resumes a paused guest first: it could not answer',
    { spec: { powerState: 'Off' }, domain: domain({ state: askedPause }) },
    { step: 'Resume' },
  ],
  [
    'waits for the guest',
    { spec: { powerState: 'Off' }, domain: domain(), shutdown: { powerOffAtMs: NOW_MS + 5 } },
    { step: 'AwaitShutdown', untilMs: NOW_MS + 5, purpose: 'PowerOff' },
  ],
  [
    'cuts the power when the grace is over',
    { spec: { powerState: 'Off' }, domain: domain(), shutdown: { powerOffAtMs: NOW_MS } },
    { step: 'Destroy' },
  ],
  [
    'cuts the power at once without a grace period',
    { spec: { powerState: 'Off', gracePeriodSeconds: 0 }, domain: domain() },
    { step: 'Destroy' },
  ],
  [
    'heeds a grace period that was shortened meanwhile',
    {
      spec: { powerState: 'Off', gracePeriodSeconds: 3 },
      domain: domain(),
      shutdown: { powerOffAtMs: NOW_MS + 60_000 },
    },
    { step: 'AwaitShutdown', untilMs: NOW_MS + 3_000 },
  ],
  [
    'shuts down for a restart',
    { spec: { restartedAt: 'b' }, domain: domain({ restartedAt: 'a' }) },
    { step: 'Shutdown' },
  ],
  [
    'does not restart for a request that the domain carries out',
    { spec: { restartedAt: 'b' }, domain: domain({ restartedAt: 'b' }) },
    { step: 'Settled' },
  ],
  [
    'does not restart for a request that was taken back',
    { spec: { restartedAt: '' }, domain: domain({ restartedAt: 'a' }) },
    { step: 'Settled' },
  ],
  ['stays off when it shall be off', { spec: { powerState: 'Off' } }, { step: 'StayOff', reason: 'PoweredOff' }],
  [
    'stays off also with a restart request',
    { spec: { powerState: 'Off', restartedAt: 'b' }, run: run(), end: ended('Shutdown') },
    { step: 'StayOff', reason: 'PoweredOff' },
  ],
];

const starting: Row[] = [
  ['starts for the first time', {}, { step: 'Start' }],
  ['starts paused ones too', { spec: { powerState: 'Paused' } }, { step: 'Start' }],
  [
    'starts for a new epoch, however the old run ended',
    { spec: { epoch: 2, restartPolicy: 'OnFailure' }, run: run(), end: ended('Shutdown') },
    { step: 'Start' },
  ],
  ['starts what was recorded and never began', { run: run(), end: { began: false } }, { step: 'Start' }],
  [
    'starts for a restart request although OnFailure would leave it off',
    { spec: { restartedAt: 'b', restartPolicy: 'OnFailure' }, run: run(), end: ended('Shutdown') },
    { step: 'Start' },
  ],
  [
    'starts again what the agent itself had stopped',
    { spec: { restartPolicy: 'OnFailure' }, run: run(), end: ended('Shutdown'), stopAsked: true },
    { step: 'Start' },
  ],
  [
    'waits behind a foreign domain',
    { obstacle: { reason: 'DomainNameTaken', message: 'm' } },
    { step: 'Blocked', reason: 'DomainNameTaken' },
  ],
  [
    'does not mind a foreign domain when it shall be off',
    { spec: { powerState: 'Off' }, obstacle: { reason: 'DomainNameTaken', message: 'm' } },
    { step: 'StayOff' },
  ],
  [
    'never starts what somebody migrated away',
    { run: run(), end: ended('Migrated') },
    { step: 'Blocked', reason: 'MigratedAway' },
  ],
  [
    'starts it with a newer epoch: that is a decision',
    { spec: { epoch: 2 }, run: run(), end: ended('Migrated') },
    { step: 'Start' },
  ],
];

const refusal = { reason: 'DiskLocked', message: 'm', generation: 1 };
const refused: Row[] = [
  [
    'waits before a start that may pass is tried again',
    { refusal: { ...refusal, retryAtMs: NOW_MS + 1 } },
    { step: 'Refused', untilMs: NOW_MS + 1 },
  ],
  ['tries it again when the time has come', { refusal: { ...refusal, retryAtMs: NOW_MS } }, { step: 'Start' }],
  ['waits for a change when the spec is at fault', { refusal }, { step: 'Refused' }],
  ['tries again when the spec has changed', { refusal, generation: 2 }, { step: 'Start' }],
];

const byItself: Row[] = [
  ['Always restarts after a shutdown', { run: run(), end: ended('Shutdown') }, { step: 'Start' }],
  [
    'OnFailure stays off after a shutdown',
    { spec: { restartPolicy: 'OnFailure' }, run: run(), end: ended('Shutdown') },
    { step: 'StayOff', reason: 'GuestShutdown' },
  ],
  ...(['Crashed', 'Failed', 'Lost', 'Destroyed', 'Saved'] as const).map(
    (reason): Row => [
      `OnFailure restarts after ${reason}`,
      { spec: { restartPolicy: 'OnFailure' }, run: run(), end: ended(reason) },
      { step: 'Start' },
    ],
  ),
  [
    'holds a start back after a quick second stop',
    { run: run({ startedAt: ago(5), restartDelaySeconds: 0 }), end: ended('Crashed') },
    { step: 'AwaitRestart', untilMs: NOW_MS + 10_000 },
  ],
  [
    'starts when the wait is over',
    { run: run({ startedAt: ago(15), restartDelaySeconds: 0 }), end: ended('Crashed', ago(10)) },
    { step: 'Start' },
  ],
  [
    'does not wait longer when the clock was set back',
    { run: run({ startedAt: ago(-3600), restartDelaySeconds: 0 }), end: ended('Crashed', ago(-3605)) },
    { step: 'Start' },
  ],
  [
    'does not wait when it was asked to restart',
    { spec: { restartedAt: 'b' }, run: run({ startedAt: ago(5), restartDelaySeconds: 300 }), end: ended('Crashed') },
    { step: 'Start' },
  ],
  [
    'is not restarted while it shall be off',
    { spec: { powerState: 'Off' }, run: run(), end: ended('Crashed') },
    { step: 'StayOff' },
  ],
];

const stays = { hostFault: { action: 'None' } } as const;
const inBootBefore = run({ bootID: 'boot-0' });
const ofHost: Row[] = [
  ['starts it again by itself', { run: inBootBefore, end: ended('Lost') }, { step: 'Start' }],
  [
    'leaves it off where the policy does nothing then',
    { spec: stays, run: inBootBefore, end: ended('Lost') },
    { step: 'StayOff', reason: 'HostFailed' },
  ],
  [
    'goes on with that when the record of the run was lost as well',
    {
      spec: stays,
      run: run({ bootID: 'boot-1' }),
      end: ended('Lost'),
      status: { phase: 'Off', reason: 'HostFailed', conditions: [] },
    },
    { step: 'StayOff', reason: 'HostFailed' },
  ],
  [
    'starts it when that is asked for',
    { spec: { ...stays, restartedAt: 'b' }, run: inBootBefore, end: ended('Lost') },
    { step: 'Start' },
  ],
  [
    'starts it for a new placement',
    { spec: { ...stays, epoch: 2 }, run: inBootBefore, end: ended('Lost') },
    { step: 'Start' },
  ],
  [
    'starts what was shut down before the host failed',
    { spec: stays, run: inBootBefore, end: ended('Shutdown') },
    { step: 'Start' },
  ],
  [
    'starts what was lost in the same boot: the host has not failed',
    { spec: stays, run: run({ bootID: 'boot-1' }), end: ended('Lost') },
    { step: 'Start' },
  ],
];

describe('the next step for a VM', () => {
  describe.each([
    ['epochs', epochs],
    ['a domain that is there', withDomain],
    ['stopping', stopping],
    ['starting', starting],
    ['a start that was refused', refused],
    ['a stop by itself', byItself],
    ['a host that has failed', ofHost],
  ])('%s', (_topic, rows) => {
    it.each(rows)('%s', (_rule, when, then) => {
      expect(nextStep(situation(when))).toMatchObject(then);
    });
  });
});

function startOf(when: SituationChanges) {
  const step = nextStep(situation(when));
  if (step.step !== 'Start') throw new Error(`${step.step} instead of Start`);
  return step.run;
}

describe('the record of a start', () => {
  it('names the epoch, the restart request and the moment', () => {
    expect(startOf({ spec: { epoch: 3, restartedAt: 'b' } })).toEqual({
      bootID: 'boot-1',
      epoch: 3,
      restartedAt: 'b',
      startedAt: NOW,
      restarts: 0,
    });
  });

  it('counts a restart, and how long it was held back', () => {
    const before = run({ startedAt: ago(100), restarts: 4, restartDelaySeconds: 20 });
    expect(startOf({ run: before, end: ended('Crashed', ago(40)) })).toMatchObject({
      restarts: 5,
      restartDelaySeconds: 40,
      lastStop: { at: ago(40), reason: 'Crashed' },
    });
  });

  it('does not count a restart that was asked for, and forgets the crash loop', () => {
    const record = startOf({
      spec: { restartedAt: 'b' },
      run: run({ restarts: 4, restartDelaySeconds: 20 }),
      end: ended('Destroyed'),
    });
    expect(record.restarts).toBe(4);
    expect(record.restartDelaySeconds).toBeUndefined();
  });

  it('keeps the count and the wait of a start that never began', () => {
    const before = run({ restarts: 4, restartDelaySeconds: 20, lastStop: { at: ago(9), reason: 'Crashed' } });
    expect(startOf({ run: before, end: { began: false } })).toEqual({ bootID: 'boot-1', ...before, startedAt: NOW });
  });

  it('waits 0, 10, 20, 40, 80, 160, 300, 300 s, and 0 again after ten minutes of running', () => {
    let record = run();
    const waits: (number | undefined)[] = [];
    for (const ranSeconds of [3600, 1, 1, 1, 1, 1, 1, 599, 600]) {
      const startedAt = ago(ranSeconds);
      record = startOf({
        nowMs: NOW_MS + 300_000,
        run: { ...record, startedAt },
        end: ended('Crashed'),
      });
      waits.push(record.restartDelaySeconds);
    }
    expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300, 0]);
  });
});

const anySituation: fc.Arbitrary<Situation> = fc
  .record({
    powerState: fc.constantFrom('Running' as const, 'Paused' as const, 'Off' as const),
    restartPolicy: fc.constantFrom('Always' as const, 'OnFailure' as const),
    restartedAt: fc.constantFrom('', 'a', 'b'),
    epoch: fc.integer({ min: 1, max: 3 }),
    newestEpoch: fc.integer({ min: 0, max: 3 }),
    domain: fc.option(
      fc.record({
        epoch: fc.integer({ min: 1, max: 3 }),
        restartedAt: fc.constantFrom('', 'a', 'b'),
        state: fc.constantFrom({ running: true } as const, askedPause, ioError, inTransition, inStart),
      }),
      { nil: undefined },
    ),
    end: fc.option(
      fc.constantFrom(ended('Shutdown'), ended('Crashed', ago(3)), ended('Migrated'), { began: false } as const),
      { nil: undefined },
    ),
    run: fc.option(
      fc.record({
        epoch: fc.integer({ min: 1, max: 3 }),
        restartedAt: fc.constantFrom('', 'a', 'b'),
        restartDelaySeconds: fc.constantFrom(0, 10, 300),
        startedAt: fc.constantFrom(ago(5), ago(5000)),
      }),
      { nil: undefined },
    ),
    stopAsked: fc.boolean(),
    shutdown: fc.option(fc.record({ powerOffAtMs: fc.constantFrom(NOW_MS - 1, NOW_MS + 1000) }), { nil: undefined }),
    obstacle: fc.option(fc.constant({ reason: 'DomainNameTaken' as const, message: 'm' }), { nil: undefined }),
  })
  .map(({ powerState, restartPolicy, restartedAt, epoch, newestEpoch, ...rest }) =>
    situation({
      spec: { powerState, restartPolicy, restartedAt, epoch },
      newestEpoch,
      stopAsked: rest.stopAsked,
      ...(rest.domain && { domain: domain(rest.domain) }),
      ...(rest.run && { run: run(rest.run) }),
      ...(rest.end && !rest.domain && { end: rest.end }),
      ...(rest.shutdown && { shutdown: rest.shutdown }),
      ...(rest.obstacle && !rest.domain && { obstacle: rest.obstacle }),
    }),
  );

const property = (check: (given: Situation, step: Step) => void): void => {
  fc.assert(
    fc.property(anySituation, (given) => {
      check(given, nextStep(given));
    }),
    { numRuns: 5000 },
  );
};

describe('whatever the situation', () => {
  it('nothing is started beside a domain, for an old epoch, behind an obstacle, or when it shall be off', () => {
    property(({ domain: found, instance, newestEpoch, obstacle }, step) => {
      if (step.step !== 'Start') return;
      expect(found).toBeUndefined();
      expect(obstacle).toBeUndefined();
      expect(instance.spec.epoch).toBeGreaterThanOrEqual(newestEpoch);
      expect(instance.spec.powerState).not.toBe('Off');
    });
  });

  it('a domain is stopped only when it shall be off or restarted', () => {
    property(({ domain: found, instance: { spec } }, step) => {
      if (step.step !== 'Destroy' && step.step !== 'Shutdown') return;
      const isRestart = spec.restartedAt !== '' && spec.restartedAt !== found?.restartedAt;
      expect(spec.powerState === 'Off' || isRestart).toBe(true);
      expect(spec.epoch).toBe(found?.epoch);
    });
  });

  it('nothing is asked of a domain that libvirt is still starting', () => {
    property(({ domain: found }, step) => {
      if (found?.state === inStart) expect(['AwaitStart', 'RefuseEpoch']).toContain(step.step);
    });
  });

  it('a wait ends in the future', () => {
    property(({ nowMs }, step) => {
      if ('untilMs' in step && step.untilMs !== undefined) expect(step.untilMs).toBeGreaterThan(nowMs);
    });
  });
});
