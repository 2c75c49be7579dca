import { describe, expect, it } from 'vitest';
import type { InstanceMigration } from '../../../../src/api/virtual-machine-instance-migration.ts';
import { type MigrationInput, nextMigrationStep } from '../../../../src/core/migration/next-step.ts';
import { no, YES } from '../../../../src/core/model/verdict.ts';
import { hostObject, instanceMigration, migration } from '../../../builders/migration.ts';
import { instance, virtualMachine } from '../../../builders/objects.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const at = (secondsAgo: number) => new Date(NOW_MS - secondsAgo * 1000).toISOString();

interface Given {
  readonly order?: InstanceMigration['order'];
  readonly told?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly input?: Partial<MigrationInput>;
}

/** A migration whose VM is in it, 5 s after it began. */
function given({ order, told, spec, input }: Given = {}): MigrationInput {
  const vmi = instance({
    spec: { ...(order && { migration: instanceMigration({ order }) }), ...spec },
    status: {
      conditions: [],
      host: 'h1',
      phase: 'Running',
      observedEpoch: 1,
      ...(told && { migration: { uid: 'm-1', endedAt: at(1), ...told } }),
    },
  });
  return {
    nowMs: NOW_MS,
    migration: migration({
      status: { phase: 'Running', sourceHost: 'h1', targetHost: 'h2', sourceEpoch: 1, startedAt: at(5) },
    }),
    vm: virtualMachine({ spec: {} }),
    instance: vmi,
    incoming: undefined,
    target: YES,
    sourceOff: undefined,
    isTargetOff: false,
    plan: () => ({ ok: false, failures: [{ reason: 'Asked', message: 'the plan was asked' }] }),
    turnToPrepare: () => YES,
    turnToCopy: () => YES,
    ...input,
  };
}

const arrival = { uid: 'm-1', virtualMachine: 'default/vm', ready: true, domain: 'Absent' } as const;

function words(input: MigrationInput): string {
  const step = nextMigrationStep(input);
  switch (step.step) {
    case 'Await':
      return `Await ${step.reason}`;
    case 'Order':
      return `Order ${step.order}`;
    case 'Refuse':
      return `Refuse ${step.failures.map(({ reason }) => reason).join()}`;
    case 'Release':
      return `Release ${step.failure.reason}`;
    default:
      return step.step;
  }
}

describe('a Migration', () => {
  const fresh = { migration: migration() };
  const plan = { ok: true, instance: instance(), sourceHost: 'h1', target: hostObject('h2'), explanation: '' } as const;

  it.each<[string, MigrationInput, string]>([
    ['that may not begin is refused', given({ input: fresh }), 'Refuse Asked'],
    [
      'whose turn has not come waits',
      given({
        input: { ...fresh, plan: () => ({ ...plan, settings: {} as never }), turnToPrepare: () => no('Queued', '') },
      }),
      'Await Queued',
    ],
    [
      'whose turn has come begins',
      given({ input: { ...fresh, plan: () => ({ ...plan, settings: {} as never }) } }),
      'Begin',
    ],
    [
      'that was written down but not begun begins',
      given({ input: { plan: () => ({ ...plan, settings: {} as never }) } }),
      'Begin',
    ],
    [
      'that is deleted before it began goes',
      given({ input: { migration: migration({ metadata: { deletionTimestamp: at(1) } }) } }),
      'LetGo',
    ],
    ['waits for its target', given({ order: 'Prepare' }), 'Await Preparing'],
    [
      'waits for a target that lacks something',
      given({ order: 'Prepare', input: { incoming: { ...arrival, ready: false } } }),
      'Await Preparing',
    ],
    ['goes on when the target is ready', given({ order: 'Prepare', input: { incoming: arrival } }), 'Order Migrate'],
    [
      'waits for its turn when its target is ready',
      given({ order: 'Prepare', input: { incoming: arrival, turnToCopy: () => no('Queued', '') } }),
      'Await Queued',
    ],
    [
      'of a VM that is off by now is over',
      given({
        order: 'Prepare',
        input: { instance: instance({ spec: { migration: instanceMigration({ order: 'Prepare' }) } }) },
      }),
      'Release NotRunning',
    ],
    ['waits for the copying', given({ order: 'Migrate', told: { phase: 'Running' } }), 'Await Copying'],
    [
      'that failed leaves the VM where it is',
      given({ order: 'Migrate', told: { phase: 'Failed', reason: 'NotConverging' } }),
      'Release NotConverging',
    ],
    [
      'whose VM has left its source makes the target its host',
      given({ order: 'Migrate', told: { phase: 'Moved' } }),
      'Switch',
    ],
    [
      'whose VM has left its source does so also when it was cancelled',
      given({ order: 'Abort', told: { phase: 'Moved' } }),
      'Switch',
    ],
    ['waits until the target has taken over', given({ spec: { host: 'h2', epoch: 2 } }), 'Await Switching'],
    ['that another placement has overtaken is over', given({ spec: { host: 'h3', epoch: 4 } }), 'Refuse Interrupted'],
    ['whose VM is gone is over', given({ input: { instance: undefined } }), 'Refuse Interrupted'],
  ])('%s', (_what, input, expected) => {
    expect(words(input)).toBe(expected);
  });

  it('gives up a target that is not ready in time, and says what it lacks', () => {
    const late = given({ order: 'Prepare' });
    const status = { ...late.migration?.status, conditions: [], startedAt: at(61) };
    const incoming = { ...arrival, ready: false, reason: 'DatastoreUnavailable', message: 'disk "root" is not there' };
    expect(nextMigrationStep({ ...late, migration: migration({ status }), incoming })).toMatchObject({
      failure: {
        reason: 'DatastoreUnavailable',
        message: 'Host h2 was not ready within 60 s: disk "root" is not there',
      },
    });
  });

  it('has succeeded when the target speaks of the VM as its own', () => {
    const taken = instance({
      spec: { host: 'h2', epoch: 2 },
      status: { conditions: [], host: 'h2', phase: 'Running', observedEpoch: 2 },
    });
    expect(words(given({ input: { instance: taken } }))).toBe('Succeed');
  });

  it.each<[string, Partial<MigrationInput>]>([
    ['it is deleted', { migration: migration({ metadata: { deletionTimestamp: at(1) }, status: { sourceEpoch: 1 } }) }],
    ['its object is gone', { migration: undefined }],
    ['the VM is halted', { vm: virtualMachine({ spec: { runStrategy: 'Halted' } }) }],
    ['the VM is deleted', { vm: undefined }],
    ['the VM is being deleted', { vm: virtualMachine({ metadata: { deletionTimestamp: at(1) } }) }],
    ['another VM has the name', { vm: virtualMachine({ metadata: { uid: 'e7a0c5ae-0000-4000-8000-000000000009' } }) }],
    [
      'the VM is to be restarted',
      { vm: virtualMachine({ metadata: { annotations: { 'drover.dev/restartedAt': 'now' } } }) },
    ],
  ])('is stopped when %s', (_what, input) => {
    expect(words(given({ order: 'Prepare', input }))).toBe('Release Cancelled');
    expect(words(given({ order: 'Migrate', input }))).toBe('Order Abort');
    expect(words(given({ order: 'Abort', input }))).toBe('Await Cancelling');
  });
});

describe('a migration that broke off at its very end', () => {
  const told = { phase: 'Unclear' };
  const answered = { ...arrival, answers: at(1) };

  it.each<[string, Given, string]>([
    ['asks the target', { told }, 'Await Unclear'],
    [
      'does not take an older word of the target',
      { told, input: { incoming: { ...arrival, answers: at(9) } } },
      'Await Unclear',
    ],
    ['nor one that knew nothing of it', { told, input: { incoming: arrival } }, 'Await Unclear'],
    [
      'waits while the copy there does not run',
      { told, input: { incoming: { ...answered, domain: 'Receiving' } } },
      'Await Unclear',
    ],
    [
      'keeps the copy of the target when it runs',
      { told, input: { incoming: { ...answered, domain: 'Running' } } },
      'Order KeepTarget',
    ],
    ['keeps that of the source when there is no other', { told, input: { incoming: answered } }, 'Order KeepSource'],
    [
      'does so also when it is to be cancelled',
      { told, input: { incoming: answered, migration: undefined } },
      'Order KeepSource',
    ],
  ])('%s', (_what, changes, expected) => {
    expect(words(given({ order: 'Migrate', ...changes }))).toBe(expected);
  });

  it('is decided once', () => {
    const incoming = { ...answered, domain: 'Running' } as const;
    expect(words(given({ order: 'KeepSource', told, input: { incoming } }))).toBe('Await Deciding');
  });
});

describe('a migration whose source is off', () => {
  const fencedAt = at(3);
  const sourceOff = { method: 'BMC', bootID: 'boot-1', detectedAt: at(8), fencedAt } as const;
  const asked = { migration: instanceMigration({ order: 'Migrate', sourceFencedAt: fencedAt }) };
  const answered = { ...arrival, answers: fencedAt };
  const running = { phase: 'Running' };

  it.each<[string, Given, string]>([
    [
      'leaves the VM with it when it had not begun',
      { order: 'Prepare', input: { incoming: arrival } },
      'Release SourceLost',
    ],
    ['asks the target what it has', { order: 'Migrate', told: running, input: { incoming: arrival } }, 'AskTarget'],
    ['does so also when it was being cancelled', { order: 'Abort', told: running }, 'AskTarget'],
    ['does so also when the source had broken off', { order: 'Migrate', told: { phase: 'Unclear' } }, 'AskTarget'],
    ['does so also when the VM is gone', { order: 'Migrate', told: running, input: { vm: undefined } }, 'AskTarget'],
    ['waits for the answer', { spec: asked, told: running }, 'Await SourceLost'],
    [
      'does not take an older word of the target',
      { spec: asked, told: running, input: { incoming: { ...answered, answers: at(9) } } },
      'Await SourceLost',
    ],
    [
      'waits until the target has ended a copy that does not run',
      { spec: asked, input: { incoming: { ...answered, domain: 'Receiving' } } },
      'Await SourceLost',
    ],
    [
      'makes the target the host of a VM that runs there',
      { spec: asked, input: { incoming: { ...answered, domain: 'Running' } } },
      'Switch',
    ],
    [
      'gives up a VM of which the target has nothing',
      { spec: asked, input: { incoming: answered } },
      'Release SourceLost',
    ],
    ['gives it up when the target is off, too', { spec: asked, input: { isTargetOff: true } }, 'Release SourceLost'],
    [
      'keeps to the copy of the target once that was decided',
      { order: 'KeepTarget', told: { phase: 'Unclear' } },
      'Switch',
    ],
    [
      'gives it up where the target had none',
      { order: 'KeepSource', told: { phase: 'Unclear' } },
      'Release SourceLost',
    ],
    ['needs no answer when the VM had arrived', { order: 'Migrate', told: { phase: 'Moved' } }, 'Switch'],
    ['nor when it had failed', { order: 'Migrate', told: { phase: 'Failed', reason: 'X' } }, 'Release X'],
  ])('%s', (_what, changes, expected) => {
    expect(words(given({ ...changes, input: { sourceOff, ...changes.input } }))).toBe(expected);
  });
});

describe('a Migration that is over', () => {
  const done = (secondsAgo: number, metadata = {}) =>
    migration({
      metadata,
      spec: { ttlSecondsAfterFinished: 60 },
      status: { phase: 'Succeeded', finishedAt: at(secondsAgo) },
    });

  it.each<[string, MigrationInput, string]>([
    ['stays for its time', given({ input: { migration: done(59) } }), 'Await Finished'],
    ['goes then', given({ input: { migration: done(60) } }), 'Collect'],
    ['may be deleted', given({ input: { migration: done(1, { deletionTimestamp: at(0) }) } }), 'LetGo'],
    [
      'lets its VM out when the operator died before',
      given({
        order: 'Migrate',
        told: { phase: 'Failed', reason: 'X' },
        input: { migration: migration({ status: { phase: 'Failed' } }) },
      }),
      'Release X',
    ],
  ])('%s', (_what, input, expected) => {
    expect(words(input)).toBe(expected);
  });
});
