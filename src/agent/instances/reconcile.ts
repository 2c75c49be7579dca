import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import {
  type ComputedStatus,
  eventOf,
  instanceStatus,
  nextStep,
  type Rest,
  type Situation,
  type Step,
} from '../../core/instance/index.ts';
import { CodedError, done, type ReconcileContext, type Result, requeueAfter } from '../../runtime/index.ts';
import type { Outgoing } from '../migrations/outgoing.ts';
import type { GuestHeartbeats } from './guest-heartbeats.ts';
import type { InstanceMemory } from './memory.ts';
import type { InstanceMetrics } from './metrics.ts';
import { type Observer, observe } from './observe.ts';
import { type Act, perform } from './perform.ts';
import type { Starter } from './start-domain.ts';
import { writeStatus } from './write-status.ts';

/** Everything that passes share. */
export interface Scope {
  readonly observer: Observer;
  readonly starter: Starter;
  readonly outgoing: Outgoing;
  readonly heartbeats: GuestHeartbeats;
  readonly metrics: InstanceMetrics;
}

/** One look at one VM, with all that it needs. */
interface Pass {
  readonly scope: Scope;
  /** As the cache holds it. */
  readonly instance: VirtualMachineInstance;
  readonly memory: InstanceMemory;
  readonly context: ReconcileContext;
}

/** From anything to a restarted domain it takes at most resume, shut down, destroy, start; more is a loop. */
const STEPS_MAX = 8;
/** A start that takes longer is shown: not those of a host that is busy with many, since each costs two writes, one of them on the VM. */
const STARTING_SHOWN_AFTER_MS = 30_000;

/** Brings one VM to what its intent says, and writes down what came of it. */
export async function reconcileInstance(
  scope: Scope,
  instance: VirtualMachineInstance,
  memory: InstanceMemory,
  context: ReconcileContext,
): Promise<Result> {
  const pass: Pass = { scope, instance, memory, context };
  for (let steps = 0; steps < STEPS_MAX; steps++) {
    const situation = await observe(scope.observer, instance, memory, context.clock.now());
    const step = nextStep(situation);
    if (isRest(step)) return await rest(pass, situation, step);
    context.log.info({ step: step.step, epoch: instance.spec.epoch, why: step.why }, 'decided');
    scope.metrics.onStep(step.step);
    tell(scope, situation, step);
    if (step.step === 'Claim') await claim(pass, situation);
    else if (step.step === 'Start') await startShown(pass, situation, step);
    else if (step.step === 'Reset' || step.step === 'EndCrashed') await resetGuest(pass, situation, step);
    else await perform(scope, situation, step, memory);
  }
  return requeueAfter(1_000, `still not at rest after ${STEPS_MAX} steps`);
}

const ACTS: ReadonlySet<Step['step']> = new Set<Exclude<Step, Rest>['step']>([
  'Adopt',
  'Claim',
  'Start',
  'Suspend',
  'Resume',
  'Shutdown',
  'Destroy',
  'Reset',
  'EndCrashed',
  'StartMigration',
  'AbortMigration',
  'DropCopy',
]);

function isRest(step: Step): step is Rest {
  return !ACTS.has(step.step);
}

/** On the VirtualMachine: that is the object which its owner looks at. */
function tell({ starter }: Scope, situation: Situation, step: Step): void {
  const event = eventOf(situation, step);
  if (event === undefined) return;
  const { metadata, spec, apiVersion } = situation.instance;
  const { name, namespace } = metadata;
  const vm = { apiVersion, kind: 'VirtualMachine', metadata: { name, namespace, uid: spec.virtualMachineUID } };
  starter.deps.events.record({ regarding: vm, ...event });
}

/**
 * Writes that this boot may run the VM. The answer holds the intent as it stood at that very write: only if that is the one which
 * is about to be carried out, nobody has taken the VM from this host, and nobody can from here on without proof that this boot is over.
 * @throws CodedError when the intent is another one by now; KubeError when it cannot be written, and nothing is started
 */
async function claim(pass: Pass, situation: Situation): Promise<void> {
  await writeUnlessOutdated(pass, instanceStatus(situation, { step: 'Starting' }));
}

/** Writes a status, and makes sure by the answer that the intent which it is about still stands. @throws as `claim` does */
async function writeUnlessOutdated(pass: Pass, status: ComputedStatus): Promise<void> {
  const { instance } = pass;
  const written = await write(pass, status);
  if (written?.spec.host === instance.spec.host && written.spec.epoch === instance.spec.epoch) return;
  delete pass.memory.written;
  throw new CodedError(
    'ApiConflict',
    `the intent of ${instance.metadata.name} has changed (epoch ${written?.spec.epoch}, host ${written?.spec.host}); it is looked at anew`,
  );
}

/**
 * Resets a guest that has failed. What a policy counts is written down before: a count that could not be kept would be no bound, so
 * that nothing is done as long as it cannot be written.
 * @throws as `claim` and `perform` do
 */
async function resetGuest(
  pass: Pass,
  situation: Situation,
  step: Extract<Act, { step: 'Reset' | 'EndCrashed' }>,
): Promise<void> {
  const { scope, memory } = pass;
  if (step.counted && !memory.isResetOwed) {
    await writeUnlessOutdated(pass, instanceStatus(situation, step));
    memory.isResetOwed = true;
  }
  await perform(scope, situation, step, memory);
  delete memory.isResetOwed;
  scope.metrics.onGuestFault(step.fault.reason, 'Reboot');
}

/** Starts the domain; a start that takes its time shows as Starting, a quick one costs no write of its own. */
async function startShown(pass: Pass, situation: Situation, act: Extract<Act, { step: 'Start' }>): Promise<void> {
  const { scope, memory, context } = pass;
  const { clock, log } = context;
  const beganMs = clock.monotonicMs();
  let shown: Promise<unknown> | undefined;
  const timer = clock.setTimeout(() => {
    const status = instanceStatus(situation, { step: 'Starting' });
    shown = write(pass, status).catch((err: unknown) =>
      log.debug({ err }, 'cannot show that the domain is being started'),
    );
  }, STARTING_SHOWN_AFTER_MS);
  try {
    await perform(scope, situation, act, memory);
  } finally {
    timer.cancel();
    // The next write must not be overtaken by this one.
    await shown;
  }
  scope.metrics.onStart(memory.refusal?.reason ?? 'started', (clock.monotonicMs() - beganMs) / 1000);
}

async function rest(pass: Pass, situation: Situation, step: Rest): Promise<Result> {
  const { scope, instance, memory, context } = pass;
  if (step.step === 'AwaitStorage') {
    memory.resume ??= { atMs: step.untilMs, intervalMs: step.untilMs - situation.nowMs };
    if (situation.lostDatastore !== undefined) memory.resume = { ...memory.resume, storageIsLost: true };
  }
  // Once it is shorter, or counts from a clock that was set back, it stays so: it would be later at every look.
  if (step.step === 'AwaitShutdown') memory.shutdown = { powerOffAtMs: step.untilMs };
  if (step.step === 'Settled' && memory.shutdown !== undefined && memory.shutdown.powerOffAtMs < situation.nowMs) {
    // The guest ignored a shutdown that nobody wants any more: its next stop is its own.
    delete memory.shutdown;
    memory.stopAsked = false;
  }
  if (step.step === 'Settled') delete memory.isResetOwed;
  if (situation.domain === undefined && memory.hasSeed) {
    const { files, seedDirectory } = scope.starter.deps;
    await files.removeSeed(seedDirectory, instance.spec.virtualMachineUID);
    memory.hasSeed = false;
  }
  const status = instanceStatus(situation, step);
  const before = situation.instance.status;
  if (status.phase !== before?.phase || status.reason !== before?.reason) {
    context.log.info({ step: step.step, phase: status.phase, reason: status.reason, why: status.message }, 'at rest');
    tell(scope, situation, step);
    if (step.step === 'GuestFailed') scope.metrics.onGuestFault(step.fault.reason, step.action);
  }
  await write(pass, status);
  if (!('untilMs' in step) || step.untilMs === undefined) return done;
  return requeueAfter(Math.max(0, step.untilMs - context.clock.now().getTime()), step.step);
}

async function write(
  { scope, instance, memory, context }: Pass,
  status: ComputedStatus,
): Promise<VirtualMachineInstance | undefined> {
  const { client } = scope.starter.deps;
  return await writeStatus({ client, instance, memory, now: context.clock.now(), signal: context.signal }, status);
}
