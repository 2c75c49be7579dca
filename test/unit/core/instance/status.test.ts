import { describe, expect, it } from 'vitest';
import { InstanceStatus } from '../../../../src/api/virtual-machine-instance-status.ts';
import { type ComputedStatus, instanceStatus, nextStep, type Rest } from '../../../../src/core/instance/index.ts';
import { ago, domain, ended, NOW_MS, run, type SituationChanges, situation } from '../../../builders/situation.ts';

const ACTS = ['Adopt', 'Start', 'Suspend', 'Resume', 'Shutdown', 'Destroy'];

/** The status of a situation in which there is nothing to do. */
function statusOf(when: SituationChanges): ComputedStatus {
  const given = situation(when);
  const step = nextStep(given);
  if (ACTS.includes(step.step)) throw new Error(`not at rest: ${step.step}`);
  return instanceStatus(given, step as Rest);
}

const paused = { running: false, pausedBy: 'Asked' } as const;
const starting = { running: false, pausedBy: 'Starting' } as const;
const ioError = { running: false, pausedBy: 'IOError' } as const;
const refusal = { reason: 'DiskLocked', message: 'the disk is locked', generation: 1 };

const rows: [
  what: string,
  when: SituationChanges,
  phase: ComputedStatus['phase'],
  reason: string | undefined,
  ready: 'True' | 'False',
][] = [
  ['runs', { domain: domain() }, 'Running', undefined, 'True'],
  [
    'is paused as wanted',
    { spec: { powerState: 'Paused' }, domain: domain({ state: paused }) },
    'Paused',
    undefined,
    'True',
  ],
  ['is still being started by libvirt', { domain: domain({ state: starting }) }, 'Starting', 'Starting', 'False'],
  ['is paused by an I/O error', { domain: domain({ state: ioError }) }, 'Paused', 'IOError', 'False'],
  [
    'is off since its host is isolated, although it is to run',
    { spec: { powerState: 'Off' }, isIsolated: true },
    'Off',
    'HostIsolated',
    'False',
  ],
  ['is off as wanted', { spec: { powerState: 'Off' } }, 'Off', 'PoweredOff', 'True'],
  [
    'switched itself off and may',
    { spec: { restartPolicy: 'OnFailure' }, run: run(), end: ended('Shutdown') },
    'Off',
    'GuestShutdown',
    'True',
  ],
  [
    'stays off after its host has failed',
    { spec: { hostFault: { action: 'None' } }, run: run({ bootID: 'boot-0' }), end: ended('Lost') },
    'Off',
    'HostFailed',
    'False',
  ],
  [
    'is shutting down',
    { spec: { powerState: 'Off' }, domain: domain(), shutdown: { powerOffAtMs: NOW_MS + 1 } },
    'Stopping',
    'PoweringOff',
    'False',
  ],
  [
    'is restarting',
    { spec: { restartedAt: 'b' }, domain: domain(), shutdown: { powerOffAtMs: NOW_MS + 1 } },
    'Stopping',
    'Restarting',
    'False',
  ],
  [
    'waits in a crash loop',
    { run: run({ startedAt: ago(5), restartDelaySeconds: 0 }), end: ended('Crashed') },
    'CrashLoop',
    'Crashed',
    'False',
  ],
  ['was refused', { refusal }, 'Failed', 'DiskLocked', 'False'],
  ['is of an old epoch', { newestEpoch: 2 }, 'Failed', 'OldEpoch', 'False'],
  [
    'stands behind a foreign domain',
    { obstacle: { reason: 'DomainNameTaken', message: 'm' } },
    'Failed',
    'DomainNameTaken',
    'False',
  ],
];

describe('the status of an instance', () => {
  it.each(rows)('of a VM that %s', (_what, when, phase, reason, ready) => {
    const status = statusOf(when);
    expect(status).toMatchObject({ phase, observedEpoch: 1, observedGeneration: 1, host: 'host-a' });
    expect(status.reason).toBe(reason);
    expect(status.ready.status).toBe(ready);
    if (ready === 'False') expect(status.ready.message).not.toBe('');
    const { ready: _ready, ...written } = status;
    expect(InstanceStatus.parse({ ...written, conditions: [] })).toEqual({ ...written, conditions: [] });
  });

  it('shows Starting while libvirt takes its time', () => {
    expect(instanceStatus(situation(), { step: 'Starting' })).toMatchObject({
      phase: 'Starting',
      ready: { status: 'False' },
    });
  });

  it('tells since when the domain runs, which restart it carried out and what it does not follow', () => {
    const running = domain({
      restartedAt: 'b',
      startedAt: ago(7),
      outdatedFields: ['cpu'],
      guestTools: { connected: true, hostname: 'web', addresses: ['10.0.0.1'] },
    });
    expect(statusOf({ spec: { restartedAt: 'b' }, domain: running })).toMatchObject({
      startedAt: ago(7),
      restartedAt: 'b',
      restartRequired: ['cpu'],
      guestTools: { connected: true, hostname: 'web', addresses: ['10.0.0.1'] },
    });
  });

  it('says nothing of a domain that is gone', () => {
    const status = statusOf({ spec: { powerState: 'Off' }, run: run(), end: ended('Destroyed') });
    expect(status).not.toHaveProperty('startedAt');
    expect(status).not.toHaveProperty('guestTools');
    expect(status).not.toHaveProperty('restartRequired');
    expect(status.lastStop).toEqual({ at: ago(0), reason: 'Destroyed' });
  });

  it('tells when the next start and the power cut are due', () => {
    expect(
      statusOf({ run: run({ startedAt: ago(5), restartDelaySeconds: 0 }), end: ended('Crashed') }).nextStartAt,
    ).toBe(ago(-10));
    expect(statusOf({ refusal: { ...refusal, retryAtMs: NOW_MS + 5_000 } }).nextStartAt).toBe(ago(-5));
    expect(
      statusOf({ spec: { powerState: 'Off' }, domain: domain(), shutdown: { powerOffAtMs: NOW_MS + 5_000 } })
        .powerOffAt,
    ).toBe(ago(-5));
  });

  it('counts restarts and remembers the stop before', () => {
    const before = run({ restarts: 2, restartDelaySeconds: 10, lastStop: { at: ago(20), reason: 'Crashed' } });
    expect(statusOf({ run: before, domain: domain() })).toMatchObject({
      restarts: 2,
      restartDelaySeconds: 10,
      lastStop: { at: ago(20), reason: 'Crashed' },
    });
  });

  it('says what to do about an old epoch, with both numbers', () => {
    const { message } = statusOf({ spec: { epoch: 4 }, newestEpoch: 5, domain: domain({ epoch: 5 }) });
    expect(message).toContain('epoch 5');
    expect(message).toContain('epoch 4');
    expect(message).toContain('left as it is');
  });
});
