import { CLEANUP_FINALIZER } from '../../api/common/names.ts';
import { Migration } from '../../api/migration.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { isOver } from '../../core/migration/is-over.ts';
import { type MigrationInput, type MigrationStep, nextMigrationStep } from '../../core/migration/next-step.ts';
import { byAge } from '../../core/model/order.ts';
import { type Change, KubeError, keyOf, type ObjectKey } from '../../kube/index.ts';
import { Controller, done, type ReconcileContext, type Result, requeueAfter, source } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { BY_GROUP_MEMBER, BY_HOST, BY_TARGET, BY_VM } from '../informers.ts';
import { writeFinalizers } from '../write-finalizers.ts';
import { writeStatus } from '../write-status.ts';
import { begin, give, release, reserveTarget, switchHost } from './apply.ts';
import { Expected } from './expected.ts';
import { gather } from './gather.ts';
import { reconcileGroup } from './group.ts';
import { statusOf } from './status.ts';

/** How soon the caches must show what was written. */
const CACHE_LAG_MS = 1_000;
/** How soon a migration that waits for its turn looks again although nothing has changed that it could be seen by. */
const QUEUED_MS = 15_000;

/** Carries Migrations out, step by step, and says how far each is. */
export function migrationController(deps: ControllerDependencies): Controller {
  const { migrations, instances, virtualMachines, hosts, clusters } = deps.informers;
  const expected = new Expected();
  return new Controller({
    name: 'migration',
    // One at a time: each counts against limits that the next one has to see.
    concurrency: 1,
    sources: [
      source(migrations, ({ key, object }) => {
        const { groupMigrationName: group } = object.spec;
        return group === undefined ? [key] : [key, `${object.metadata.namespace}/${group}`];
      }),
      source(instances, (change) => [
        ...[...migrations.byIndex(BY_VM, change.key), ...migrations.byIndex(BY_GROUP_MEMBER, change.key)]
          .filter((migration) => !isOver(migration))
          .map(keyOf),
        ...migrationOf(change.object),
        ...(hasEnded(change) ? pending(deps) : []),
      ]),
      source(virtualMachines, ({ key }) => migrations.byIndex(BY_VM, key).map(keyOf)),
      source(hosts, ({ key, object }) => [
        ...(object.status?.incomingMigrations ?? []).flatMap(({ virtualMachine }) =>
          migrationOf(instances.get(virtualMachine)),
        ),
        // Whichever of the two hosts dies.
        ...[...instances.byIndex(BY_HOST, key), ...instances.byIndex(BY_TARGET, key)].flatMap(migrationOf),
      ]),
      source(clusters, () => pending(deps)),
    ],
    reconcile: (key, context) => reconcile(key, context, deps, expected),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

/** The key of the Migration that an instance is in. */
function migrationOf(instance: VirtualMachineInstance | undefined): ObjectKey[] {
  const migration = instance?.spec.migration;
  return migration === undefined ? [] : [`${instance?.metadata.namespace}/${migration.name}`];
}

/** Whether a VM has left a place in the queue, so that there is room for another one. */
function hasEnded(change: Change<VirtualMachineInstance>): boolean {
  if (change.type !== 'updated') return change.object.spec.migration !== undefined;
  return placeOf(change.previous) !== placeOf(change.object);
}

function placeOf({ spec, status }: VirtualMachineInstance): string | undefined {
  return status?.migration?.phase === 'Moved' ? undefined : spec.migration?.order;
}

/** Those that wait for their turn, oldest first. */
function pending({ informers }: ControllerDependencies): ObjectKey[] {
  return informers.migrations
    .list()
    .filter(({ status }) => ['Pending', 'Preparing'].includes(status?.phase ?? 'Pending'))
    .map((migration) => {
      const { creationTimestamp: createdAt, name } = migration.metadata;
      return { createdAt, name, key: keyOf(migration) };
    })
    .toSorted(byAge)
    .map(({ key }) => key);
}

async function reconcile(
  key: ObjectKey,
  context: ReconcileContext,
  deps: ControllerDependencies,
  expected: Expected,
): Promise<Result> {
  const object = deps.informers.migrations.get(key);
  if (object?.spec.ruleGroupName !== undefined) return await reconcileGroup(object, context, deps);
  const input = gather(key, deps, context.clock.now());
  if (!expected.isShown(key, input)) return requeueAfter(CACHE_LAG_MS, 'the caches do not show what was written last');
  const step = nextMigrationStep(input);
  const { migration } = input;
  if (step.step !== 'Await') context.log.info({ step: step.step, ...wordsOf(step) }, 'decided');
  if (migration === undefined) {
    // Nothing can be said about it: the VM is brought out of it all the same.
    const generation = await act(step, input, undefined, deps, context.signal);
    if (generation !== undefined) expected.put(key, { uid: undefined, phase: undefined, generation });
    return done;
  }
  // What was said at its end stays.
  if (step.step === 'Await' && isOver(migration)) return waitFor(step, context);
  switch (step.step) {
    case 'LetGo': {
      const finalizers = migration.metadata.finalizers.filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
      if (finalizers.length < migration.metadata.finalizers.length)
        await writeFinalizers(deps.client, Migration, migration, finalizers, context.signal);
      return done;
    }
    case 'Collect':
      await deps.client.delete(Migration, migration.metadata, { uid: migration.metadata.uid, signal: context.signal });
      return done;
    case 'Begin': {
      const takeBack = reserveTarget(step.plan, deps);
      try {
        return await carryOut(key, migration, input, step, context, deps, expected);
      } catch (error) {
        takeBack();
        throw error;
      }
    }
    default:
      return await carryOut(key, migration, input, step, context, deps, expected);
  }
}

/**
 * What is found out is written down before it is acted upon: a VM that has left its migration tells nothing of it any more.
 * Where the intent itself says all that counts, both are written at once: hosts wait for it. An operator that dies between them
 * loses figures at most.
 */
async function carryOut(
  key: ObjectKey,
  migration: Migration,
  input: MigrationInput,
  step: MigrationStep,
  context: ReconcileContext,
  deps: ControllerDependencies,
  expected: Expected,
): Promise<Result> {
  const { signal } = context;
  const hasBegun = migration.status?.sourceEpoch !== undefined;
  if (step.step === 'Refuse' && hasBegun && !(await isUnfinishedNow(migration, deps, signal))) return done;
  if (step.step === 'Begin') await hold(migration, deps, signal);
  const status = statusOf(migration, input, step);
  const written = writeStatus(deps.client, Migration, migration, status, {
    fieldManager: FIELD_MANAGERS.migration,
    signal,
  });
  if (!['Order', 'AskTarget', 'Switch'].includes(step.step)) await written;
  const acting = act(step, input, migration.status?.placement, deps, signal);
  const [generation] = await Promise.all([acting, written]);
  const { uid } = migration.metadata;
  expected.put(key, { uid, phase: status.phase, ...(generation !== undefined && { generation }) });
  tell(migration, input, step, deps);
  return step.step === 'Await' ? waitFor(step, context) : done;
}

/** From the begin on it is not to vanish before its VM is out of it. */
async function hold(migration: Migration, { client }: ControllerDependencies, signal: AbortSignal): Promise<void> {
  const { finalizers } = migration.metadata;
  if (finalizers.includes(CLEANUP_FINALIZER)) return;
  await writeFinalizers(client, Migration, migration, [...finalizers, CLEANUP_FINALIZER], signal);
}

function waitFor(
  { untilMs, reason, message }: Extract<MigrationStep, { step: 'Await' }>,
  { clock }: ReconcileContext,
): Result {
  if (untilMs !== undefined) return requeueAfter(Math.max(0, untilMs - clock.now().getTime()), reason);
  return reason === 'Queued' ? requeueAfter(QUEUED_MS, message) : done;
}

/** Changes the VM's instance. @returns the generation that it has then; undefined: it was not changed */
async function act(
  step: MigrationStep,
  { migration, vm }: MigrationInput,
  explanation: string | undefined,
  deps: ControllerDependencies,
  signal: AbortSignal,
): Promise<number | undefined> {
  switch (step.step) {
    case 'Begin':
      if (migration === undefined || vm === undefined) return undefined;
      return await begin(migration, vm, step.plan, deps, signal);
    case 'Order':
      return await give(step.instance, { order: step.order }, deps, signal);
    case 'AskTarget':
      return await give(step.instance, { sourceFencedAt: step.sourceFencedAt }, deps, signal);
    case 'Switch':
      return await switchHost(step.instance, explanation, deps, signal);
    case 'Release':
      return await release(step.instance, deps, signal);
    default:
      return undefined;
  }
}

/** The cache of Migrations may lag behind that of instances. */
async function isUnfinishedNow(
  { metadata }: Migration,
  { client }: ControllerDependencies,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return !isOver(await client.get(Migration, metadata, { signal }));
  } catch (error) {
    if (error instanceof KubeError && error.isNotFound()) return false;
    throw error;
  }
}

/** Events on the VirtualMachine: that is the object which its owner looks at. */
function tell(
  { metadata, status }: Migration,
  { vm }: MigrationInput,
  step: MigrationStep,
  { events }: ControllerDependencies,
): void {
  if (vm === undefined) return;
  const action = 'Migrating';
  switch (step.step) {
    case 'Begin': {
      const { sourceHost, target, explanation } = step.plan;
      const note = `Migration ${metadata.name} moves it from ${sourceHost} to ${target.metadata.name}\n${explanation}`;
      events.record({ regarding: vm, type: 'Normal', reason: 'Migrating', action, note });
      return;
    }
    case 'Succeed': {
      const note = `moved from ${status?.sourceHost} to ${status?.targetHost}, at a standstill for ${status?.downtimeMilliseconds ?? '?'} ms`;
      events.record({ regarding: vm, type: 'Normal', reason: 'Migrated', action, note });
      return;
    }
    case 'Refuse':
    case 'Release': {
      const failures = step.step === 'Refuse' ? step.failures : [step.failure];
      const note = `Migration ${metadata.name}: ${failures.map(({ message }) => message).join('; ')}`;
      events.record({ regarding: vm, type: 'Warning', reason: 'MigrationFailed', action, note });
      return;
    }
    default:
      return;
  }
}

function wordsOf(step: MigrationStep): object {
  switch (step.step) {
    case 'Order':
      return { order: step.order, why: step.why };
    case 'AskTarget':
      return { sourceFencedAt: step.sourceFencedAt };
    case 'Release':
      return { why: step.failure };
    case 'Refuse':
      return { why: step.failures };
    case 'Begin':
      return { from: step.plan.sourceHost, to: step.plan.target.metadata.name, why: step.plan.explanation };
    default:
      return {};
  }
}
