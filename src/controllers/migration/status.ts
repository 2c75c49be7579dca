import { MAX_FAILURES, type Migration, type MigrationFailure, type MigrationStatus } from '../../api/migration.ts';
import type { InstanceMigrationStatus } from '../../api/virtual-machine-instance-migration.ts';
import type { MigrationInput, MigrationStep } from '../../core/migration/next-step.ts';
import { type ConditionInput, setConditions } from '../../runtime/index.ts';

type Phase = NonNullable<MigrationStatus['phase']>;

/**
 * The status of a Migration after a step. Where it goes from and to, and what was measured, stays: when the VM has arrived,
 * nothing else knows of it any more.
 */
export function statusOf(migration: Migration, input: MigrationInput, step: MigrationStep): MigrationStatus {
  const before = migration.status;
  const now = new Date(input.nowMs);
  const phase = phaseOf(step) ?? before?.phase ?? 'Pending';
  const told = input.instance?.status?.migration;
  const isOver = phase === 'Succeeded' || phase === 'Failed';
  const observedGeneration = migration.metadata.generation;
  const failures = failuresOf(step) ?? before?.failures;
  return {
    observedGeneration,
    phase,
    ...placeOf(before, step, now),
    ...measured(before, told?.uid === migration.metadata.uid ? told : undefined),
    ...(phase === 'Succeeded' && { progressPercent: 100 }),
    ...(isOver && { finishedAt: before?.finishedAt ?? now.toISOString() }),
    ...(failures && { failures: failures.slice(0, MAX_FAILURES) }),
    conditions: [
      ...setConditions(
        before?.conditions ?? [],
        [ready(migration, step, phase), stalled(step, phase, failures)].map((condition) => ({
          ...condition,
          observedGeneration,
        })),
        now,
      ),
    ],
  };
}

function phaseOf(step: MigrationStep): Phase | undefined {
  switch (step.step) {
    case 'Await':
      return step.phase;
    case 'Begin':
      return 'Preparing';
    case 'Order':
      return step.order === 'Abort' ? 'Cancelling' : 'Running';
    case 'AskTarget':
      return 'Running';
    case 'Switch':
      return 'Switching';
    case 'Succeed':
      return 'Succeeded';
    case 'Refuse':
    case 'Release':
      return 'Failed';
    default:
      return undefined;
  }
}

function placeOf(before: MigrationStatus | undefined, step: MigrationStep, now: Date): Partial<MigrationStatus> {
  if (step.step === 'Begin') {
    const { sourceHost, target, instance, explanation } = step.plan;
    return {
      sourceHost,
      targetHost: target.metadata.name,
      sourceEpoch: instance.spec.epoch,
      placement: explanation,
      startedAt: now.toISOString(),
    };
  }
  const { sourceHost, targetHost, sourceEpoch, placement, startedAt } = before ?? {};
  return {
    ...(sourceHost !== undefined && { sourceHost }),
    ...(targetHost !== undefined && { targetHost }),
    ...(sourceEpoch !== undefined && { sourceEpoch }),
    ...(placement !== undefined && { placement }),
    ...(startedAt !== undefined && { startedAt }),
  };
}

function measured(
  before: MigrationStatus | undefined,
  told: InstanceMigrationStatus | undefined,
): Partial<MigrationStatus> {
  const progress = told?.progress ?? before?.progress;
  const downtimeMilliseconds = told?.downtimeMilliseconds ?? before?.downtimeMilliseconds;
  return {
    ...(progress && {
      progress,
      progressPercent: Math.round(100 * (1 - Math.min(1, progress.remainingBytes / Math.max(1, progress.totalBytes)))),
    }),
    ...(downtimeMilliseconds !== undefined && { downtimeMilliseconds }),
  };
}

function failuresOf(step: MigrationStep): readonly MigrationFailure[] | undefined {
  if (step.step === 'Refuse') return step.failures;
  return step.step === 'Release' ? [step.failure] : undefined;
}

function ready({ spec, status }: Migration, step: MigrationStep, phase: Phase): ConditionInput {
  const type = 'Ready';
  const vm = spec.virtualMachineName;
  switch (step.step) {
    case 'Succeed':
      return { type, status: 'True', reason: 'Succeeded', message: `VM ${vm} runs on host ${status?.targetHost}` };
    case 'Await':
      return { type, status: 'False', reason: step.reason, message: step.message };
    case 'Begin': {
      const { sourceHost, target } = step.plan;
      const message = `host ${target.metadata.name} makes ready for VM ${vm} of ${sourceHost}`;
      return { type, status: 'False', reason: 'Preparing', message };
    }
    case 'Order':
      return { type, status: 'False', reason: step.order === 'Abort' ? 'Cancelling' : 'Copying', message: step.why };
    case 'AskTarget': {
      const message = `host ${status?.sourceHost} is off; whether the VM runs at ${status?.targetHost} is asked there`;
      return { type, status: 'False', reason: 'SourceLost', message };
    }
    case 'Switch':
      return { type, status: 'False', reason: 'Switching', message: `host ${status?.targetHost} takes VM ${vm} over` };
    case 'Refuse':
    case 'Release': {
      const failures = failuresOf(step) ?? [];
      const message = failures.map((failure) => failure.message).join('; ');
      return { type, status: 'False', reason: failures[0]?.reason ?? 'Failed', message: message.slice(0, 32_000) };
    }
    default:
      return { type, status: 'False', reason: phase, message: '' };
  }
}

/** kstatus' word for: nothing more will come of it. */
function stalled(step: MigrationStep, phase: Phase, failures: readonly MigrationFailure[] | undefined): ConditionInput {
  const type = 'Stalled';
  if (phase !== 'Failed') return { type, status: 'False', reason: 'Progressing', message: 'nothing is in the way' };
  const message = (failures ?? failuresOf(step) ?? []).map((failure) => failure.message).join('; ');
  return { type, status: 'True', reason: failures?.[0]?.reason ?? 'Failed', message: message.slice(0, 32_000) };
}
