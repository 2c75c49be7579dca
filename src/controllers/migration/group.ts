import { CLEANUP_FINALIZER } from '../../api/common/names.ts';
import { MAX_FAILURES, Migration, type MigrationFailure, type MigrationStatus } from '../../api/migration.ts';
import type { GroupVerdict } from '../../core/migration/group-plan.ts';
import { type GroupStep, type MemberState, nextGroupStep } from '../../core/migration/group-step.ts';
import { isOver } from '../../core/migration/is-over.ts';
import { nameOf } from '../../core/model/names.ts';
import { done, type ReconcileContext, type Result, requeueAfter, setConditions } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { writeFinalizers } from '../write-finalizers.ts';
import { writeStatus } from '../write-status.ts';
import { makeMigration } from './make.ts';
import { planForGroup, togetherWith } from './plan.ts';

type Phase = NonNullable<MigrationStatus['phase']>;

/** One pass over the Migration of a whole RuleGroup. It moves nothing itself: it makes a Migration for each of its VMs. */
export async function reconcileGroup(
  migration: Migration,
  { signal, clock, log }: ReconcileContext,
  deps: ControllerDependencies,
): Promise<Result> {
  const { client } = deps;
  const { finalizers, uid } = migration.metadata;
  const now = clock.now();
  const step = stepOf(migration, now, deps);
  const othersHold = finalizers.filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
  switch (step.step) {
    case 'LetGo':
      if (othersHold.length < finalizers.length)
        await writeFinalizers(client, Migration, migration, othersHold, signal);
      return done;
    case 'Collect':
      await client.delete(Migration, migration.metadata, { uid, signal });
      return done;
    case 'Begin':
      await writeFinalizers(client, Migration, migration, [...othersHold, CLEANUP_FINALIZER], signal);
      break;
    default:
      break;
  }
  const wait = () =>
    'untilMs' in step && step.untilMs !== undefined
      ? requeueAfter(Math.max(0, step.untilMs - now.getTime()), 'something is tried again')
      : done;
  // What was said at its end stays.
  if (isOver(migration)) return wait();
  // Written first: who is moved where is read from it by all parts, and by the operator after this one.
  const status = statusOf(migration, step, now);
  const fieldManager = FIELD_MANAGERS.migration;
  const written = await writeStatus(client, Migration, migration, status, { fieldManager, signal });
  if (written && status.phase !== migration.status?.phase) {
    log.info({ step: step.step, phase: status.phase, why: wordsOf(step, status) }, 'decided');
    tell(migration, wordsOf(step, status), status.phase ?? 'Pending', deps);
  }
  if (step.step === 'Move') await makeAndStop(migration, step, deps, signal);
  return wait();
}

function stepOf(migration: Migration, now: Date, deps: ControllerDependencies): GroupStep {
  const { namespace } = migration.metadata;
  const { instances, migrations } = deps.informers;
  return nextGroupStep({
    nowMs: now.getTime(),
    migration,
    members: (migration.status?.members ?? []).map(({ virtualMachine, sourceHost }) => ({
      virtualMachine,
      sourceHost,
      instance: instances.get(`${namespace}/${virtualMachine}`),
      findMigration: (part) => migrations.get(`${namespace}/${part}`),
    })),
    plan: () => planOf(migration, deps),
  });
}

function tell(migration: Migration, note: string, reason: Phase, { events }: ControllerDependencies): void {
  const type = reason === 'Failed' || reason === 'Returning' ? 'Warning' : 'Normal';
  events.record({ regarding: migration, type, reason, action: 'Migrating', note });
}

async function makeAndStop(
  migration: Migration,
  { make, stop }: Extract<GroupStep, { step: 'Move' }>,
  deps: ControllerDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = '', name } = migration.metadata;
  for (const { metadata } of stop) await deps.client.delete(Migration, metadata, { uid: metadata.uid, signal });
  for (const { name: part, virtualMachine: virtualMachineName, targetHost } of make) {
    const spec = { cause: migration.spec.cause, virtualMachineName, targetHost, groupMigrationName: name };
    await makeMigration({ namespace, name: part, spec, owner: migration }, deps, signal);
  }
}

/** Asks whether the group can be moved. */
function planOf({ metadata, spec }: Migration, deps: ControllerDependencies): GroupVerdict {
  const { ruleGroupName = '', targetHost } = spec;
  const group = deps.ruleGroups.of(`${metadata.namespace}/${ruleGroupName}`);
  if (group === undefined) {
    return refused('RuleGroupNotFound', `there is no RuleGroup "${ruleGroupName}" in this namespace`);
  }
  const { model, inEffect } = group;
  if (model.type !== 'KeepTogether') {
    return refused(
      'NotKeepTogether',
      `RuleGroup "${ruleGroupName}" is a ${model.type} rule, whose VMs are moved one by one`,
    );
  }
  if (!inEffect) return refused('NotInEffect', `RuleGroup "${ruleGroupName}" has no effect; see its condition Ready`);
  const placed = [...model.members].filter((member) => deps.inventories.hostsOf(member).length > 0);
  const members = new Set([...placed, ...placed.flatMap((member) => togetherWith(member, deps))]);
  return planForGroup(
    [...members].toSorted(),
    { targetHost, isEvacuation: spec.cause === 'Maintenance' },
    metadata.name,
    deps,
  );
}

function refused(reason: string, message: string): GroupVerdict {
  return { ok: false, failures: [{ reason, message }] };
}

function statusOf(migration: Migration, step: GroupStep, now: Date): MigrationStatus {
  const before = migration.status;
  const phase = phaseOf(step) ?? before?.phase ?? 'Pending';
  const isOver = phase === 'Succeeded' || phase === 'Failed';
  const members = membersOf(step) ?? before?.members;
  const targetHost = step.step === 'Begin' ? step.targetHost : before?.targetHost;
  const startedAt = step.step === 'Begin' ? now.toISOString() : before?.startedAt;
  const failures = failuresOf(step) ?? before?.failures;
  const observedGeneration = migration.metadata.generation;
  const status: MigrationStatus = {
    observedGeneration,
    phase,
    ...(targetHost !== undefined && { targetHost }),
    ...(startedAt !== undefined && { startedAt }),
    ...(isOver && { finishedAt: before?.finishedAt ?? now.toISOString() }),
    ...(members && { members: [...members], progressPercent: percentArrived(members) }),
    ...(failures && { failures: failures.slice(0, MAX_FAILURES) }),
    conditions: [],
  };
  const message = wordsOf(step, status).slice(0, 32_000);
  const reason = failures?.[0]?.reason ?? phase;
  const conditions = [
    { type: 'Ready', status: phase === 'Succeeded' ? 'True' : 'False', reason, message, observedGeneration },
    { type: 'Stalled', status: phase === 'Failed' ? 'True' : 'False', reason, message, observedGeneration },
  ] as const;
  return { ...status, conditions: [...setConditions(before?.conditions ?? [], conditions, now)] };
}

function phaseOf(step: GroupStep): Phase | undefined {
  switch (step.step) {
    case 'Begin':
      return 'Preparing';
    case 'Move':
      return step.isReturning ? 'Returning' : 'Running';
    case 'Succeed':
      return 'Succeeded';
    case 'Refuse':
    case 'Fail':
      return 'Failed';
    default:
      return undefined;
  }
}

function membersOf(step: GroupStep): readonly MemberState[] | undefined {
  switch (step.step) {
    case 'Begin':
      return step.members.map(({ key, instance }) => ({
        virtualMachine: nameOf(key),
        sourceHost: instance.spec.host,
        state: 'Waiting',
      }));
    case 'Move':
    case 'Succeed':
    case 'Fail':
      return step.members;
    default:
      return undefined;
  }
}

function failuresOf(step: GroupStep): readonly MigrationFailure[] | undefined {
  if (step.step === 'Refuse') return step.failures;
  return step.step === 'Move' && step.failure !== undefined ? [step.failure] : undefined;
}

function percentArrived(members: readonly MemberState[]): number {
  const arrived = members.filter(({ state }) => state === 'Arrived').length;
  return Math.floor((100 * arrived) / Math.max(1, members.length));
}

function wordsOf(step: GroupStep, { members = [], targetHost, failures = [] }: MigrationStatus): string {
  const count = (state: MemberState['state']) => members.filter((member) => member.state === state).length;
  const why = failures.map(({ message }) => message).join('; ');
  switch (step.step) {
    case 'Begin':
      return `${members.length} VMs are moved to host ${targetHost} as one`;
    case 'Move':
      return step.isReturning
        ? `${count('Returned')} of ${members.length} VMs are back where they came from: ${why}`
        : `${count('Arrived')} of ${members.length} VMs are on host ${targetHost}`;
    case 'Succeed':
      return `all ${members.length} VMs are on host ${targetHost}`;
    case 'Fail': {
      const apart = members.filter(({ state }) => state === 'Failed').map(({ virtualMachine }) => virtualMachine);
      const where = apart.length === 0 ? 'all VMs are where they came from' : `not back: ${apart.join(', ')}`;
      return `${why}; ${where}`;
    }
    case 'Refuse':
      return why;
    default:
      return '';
  }
}
