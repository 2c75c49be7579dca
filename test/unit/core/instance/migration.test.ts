import { describe, expect, it } from 'vitest';
import type {
  InstanceMigration,
  InstanceMigrationStatus,
} from '../../../../src/api/virtual-machine-instance-migration.ts';
import { instanceStatus, type MigrationJob, nextStep, type Situation } from '../../../../src/core/instance/index.ts';
import { migrationStatus } from '../../../../src/core/instance/migration.ts';
import { ago, domain, ended, NOW, run, type SituationChanges, situation } from '../../../builders/situation.ts';

const MIGRATION: InstanceMigration = {
  name: 'to-b',
  uid: 'm-1',
  targetHost: 'host-b',
  targetAddress: '192.0.2.2',
  order: 'Migrate',
  transport: 'TLS',
  maxDowntimeMilliseconds: 500,
  autoConverge: true,
  postCopy: false,
  progressTimeoutSeconds: 150,
  completionTimeoutSeconds: 150,
};

const RUNNING = { running: true } as const;
const STOPPED_FOR_MIGRATION = { running: false, pausedBy: 'Migration' } as const;

function job(changes: Partial<MigrationJob> = {}): MigrationJob {
  return { uid: 'm-1', state: 'Running', startedAt: ago(10), abortAsked: false, ...changes };
}

const ENDED = job({ state: 'Ended', endedAt: NOW });

interface Changes extends SituationChanges {
  readonly order?: InstanceMigration['order'];
  /** What the source has said of it. */
  readonly told?: InstanceMigrationStatus['phase'];
}

function migrating({ order = 'Migrate', told, spec, ...changes }: Changes = {}): Situation {
  return situation({
    run: run(),
    spec: { migration: { ...MIGRATION, order }, ...spec },
    ...(told && {
      status: { conditions: [], migration: { uid: 'm-1', phase: told, startedAt: ago(10), endedAt: ago(1) } },
    }),
    ...changes,
  });
}

/** What is done next, and what is said of the migration meanwhile. */
function answer(given: Situation): [string, string | undefined] {
  return [nextStep(given).step, migrationStatus(given)?.phase];
}

describe('a VM that is to be moved', () => {
  it.each<[string, Changes, [string, string | undefined]]>([
    ['runs on while the target makes ready', { order: 'Prepare', domain: domain() }, ['Settled', undefined]],
    ['is copied when it is said', { domain: domain() }, ['StartMigration', undefined]],
    ['is copied', { domain: domain(), job: job() }, ['AwaitMigration', 'Running']],
    [
      'stands still at the end',
      { domain: domain({ state: STOPPED_FOR_MIGRATION }), job: job() },
      ['AwaitMigration', 'Running'],
    ],
    ['is gone before the answer', { job: job(), end: ended('Migrated') }, ['AwaitMigration', 'Running']],
    ['has moved', { job: ENDED, end: ended('Migrated') }, ['AwaitMigration', 'Moved']],
    ['has moved while no agent was there', { end: ended('Migrated') }, ['AwaitMigration', 'Moved']],
    ['stays said to have moved', { told: 'Moved', end: ended('Lost') }, ['AwaitMigration', 'Moved']],
    ['runs on when libvirt gave up', { domain: domain(), job: ENDED }, ['Settled', 'Failed']],
    ['runs on when libvirt died while it copied', { domain: domain(), told: 'Running' }, ['Settled', 'Failed']],
    ['stays said to have failed, and is not copied again', { domain: domain(), told: 'Failed' }, ['Settled', 'Failed']],
    ['is stopped from moving', { order: 'Abort', domain: domain(), job: job() }, ['AbortMigration', 'Running']],
    [
      'is asked to stop once',
      { order: 'Abort', domain: domain(), job: job({ abortAsked: true }) },
      ['AwaitMigration', 'Running'],
    ],
    ['never begins when it was stopped before', { order: 'Abort', domain: domain() }, ['Settled', 'Failed']],
    [
      'is not copied while it is paused',
      { domain: domain({ state: { running: false, pausedBy: 'IOError' } }) },
      ['AwaitStorage', undefined],
    ],
  ])('%s', (_what, changes, expected) => {
    expect(answer(migrating(changes))).toEqual(expected);
  });

  it('stays where it is when nobody asks for its migration any more', () => {
    const torn = (known: MigrationJob) => nextStep(situation({ run: run(), domain: domain(), job: known })).step;
    expect(torn(job())).toBe('AbortMigration');
    expect(torn(job({ abortAsked: true }))).toBe('Settled');
    expect(torn(ENDED)).toBe('Settled');
  });

  it('runs for everybody who asks, until it has moved and after it', () => {
    for (const given of [
      migrating({ domain: domain(), job: job() }),
      migrating({ job: ENDED, end: ended('Migrated') }),
    ]) {
      expect(instanceStatus(given, { step: 'AwaitMigration' })).toMatchObject({
        phase: 'Running',
        ready: { status: 'True' },
      });
    }
  });

  it('that has moved has not stopped', () => {
    const status = instanceStatus(migrating({ job: ENDED, end: ended('Migrated') }), { step: 'AwaitMigration' });
    expect(status.lastStop).toBeUndefined();
  });
});

describe('a migration that breaks off at its very end', () => {
  const paused = domain({ state: STOPPED_FOR_MIGRATION });

  it.each<[string, Changes, [string, string | undefined]]>([
    ['leaves a copy that must not run by itself', { domain: paused, job: ENDED }, ['AwaitMigration', 'Unclear']],
    ['which the operator lets go on', { order: 'KeepSource', domain: paused, told: 'Unclear' }, ['Resume', 'Unclear']],
    [
      'or gives up, since the other one runs',
      { order: 'KeepTarget', domain: paused, told: 'Unclear' },
      ['DropCopy', 'Unclear'],
    ],
    [
      'which then has moved',
      { order: 'KeepTarget', told: 'Unclear', end: ended('Migrated') },
      ['AwaitMigration', 'Moved'],
    ],
    [
      'and which then runs',
      { order: 'KeepSource', domain: domain({ state: RUNNING }), told: 'Unclear' },
      ['Settled', 'Failed'],
    ],
    [
      'is never given up while it runs',
      { order: 'KeepTarget', domain: domain(), told: 'Unclear' },
      ['Settled', 'Failed'],
    ],
    [
      'leaves nothing that may be started while the other may run',
      { end: ended('Crashed'), told: 'Running' },
      ['AwaitMigration', 'Unclear'],
    ],
    ['also not after a boot of the host', { end: ended('Lost'), told: 'Running' }, ['AwaitMigration', 'Unclear']],
    [
      'but is started when the target has none',
      { order: 'KeepSource', end: ended('Lost', ago(600)), told: 'Unclear' },
      ['Start', 'Failed'],
    ],
    [
      'and is no break when the guest shut itself down',
      { end: ended('Shutdown', ago(600)), told: 'Running' },
      ['Start', 'Failed'],
    ],
  ])('%s', (_what, changes, expected) => {
    expect(answer(migrating(changes))).toEqual(expected);
  });

  it('is paused for everybody who asks, with the way out', () => {
    const status = instanceStatus(migrating({ domain: paused, job: ENDED }), { step: 'AwaitMigration' });
    expect(status).toMatchObject({ phase: 'Paused', reason: 'MigrationUnclear', ready: { status: 'False' } });
    expect(status.message).toContain('when host-b has told whether its copy runs');
  });
});

describe('a domain that came with a migration past Drover', () => {
  it('is not started again where it was', () => {
    expect(nextStep(situation({ run: run(), end: ended('Migrated') }))).toMatchObject({ reason: 'MigratedAway' });
  });
});
