import { describe, expect, it } from 'vitest';
import { eventOf, nextStep } from '../../../../src/core/instance/index.ts';
import { ago, domain, ended, NOW_MS, run, type SituationChanges, situation } from '../../../builders/situation.ts';

function told(when: SituationChanges): string | undefined {
  const given = situation(when);
  const event = eventOf(given, nextStep(given));
  return event && `${event.type} ${event.reason}`;
}

const ioError = { running: false, pausedBy: 'IOError' } as const;
const off = { powerState: 'Off' } as const;

const rows: [what: string, when: SituationChanges, event: string | undefined][] = [
  ['a first start', {}, undefined],
  ['a start that was asked for', { spec: { restartedAt: 'b' }, run: run(), end: ended('Shutdown') }, undefined],
  ['a start after a crash', { run: run(), end: ended('Crashed') }, 'Warning Restarted'],
  ['a VM that runs', { domain: domain() }, undefined],
  ['a pause that was asked for', { spec: { powerState: 'Paused' }, domain: domain() }, undefined],
  ['a shutdown that was asked for', { spec: off, domain: domain() }, undefined],
  ['a VM that is off as wanted', { spec: off }, undefined],
  [
    'power that is cut after the grace',
    { spec: off, domain: domain(), shutdown: { powerOffAtMs: NOW_MS } },
    'Warning PowerCut',
  ],
  ['power that is cut without one', { spec: { ...off, gracePeriodSeconds: 0 }, domain: domain() }, undefined],
  ['a domain that is taken over', { spec: { epoch: 2 }, domain: domain() }, 'Normal Adopted'],
  ['a disk that fails', { domain: domain({ state: ioError }) }, 'Warning IOError'],
  ['a guest that is resumed after that', { domain: domain({ state: ioError }), resumeAtMs: NOW_MS }, 'Warning IOError'],
  [
    'a guest that switched itself off',
    { spec: { restartPolicy: 'OnFailure' }, run: run(), end: ended('Shutdown') },
    'Normal GuestShutdown',
  ],
  [
    'a crash loop',
    { run: run({ startedAt: ago(5), restartDelaySeconds: 0 }), end: ended('Crashed') },
    'Warning CrashLoop',
  ],
  ['a refusal', { refusal: { reason: 'DiskLocked', message: 'm', generation: 1 } }, 'Warning DiskLocked'],
  ['a foreign domain in the way', { obstacle: { reason: 'DomainNameTaken', message: 'm' } }, 'Warning DomainNameTaken'],
  ['an old epoch', { newestEpoch: 2 }, 'Warning OldEpoch'],
];

describe('the owner of a VM is told of', () => {
  it.each(rows)('%s: %s', (_what, when, event) => {
    expect(told(when)).toBe(event);
  });
});
