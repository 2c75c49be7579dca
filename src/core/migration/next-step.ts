import { RESTARTED_AT_ANNOTATION } from '../../api/common/names.ts';
import type { IncomingMigration } from '../../api/host.ts';
import type { Migration, MigrationFailure } from '../../api/migration.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { InstanceMigration } from '../../api/virtual-machine-instance-migration.ts';
import type { Proof } from '../ha/proof.ts';
import { endOfWait } from '../model/clock.ts';
import type { Verdict } from '../model/verdict.ts';
import type { MigrationPlan, MigrationVerdict } from './preconditions.ts';

/** One look at one migration. */
export interface MigrationInput {
  /** Unix time, milliseconds. */
  readonly nowMs: number;
  /** Absent: it is gone, though its VM may still be in it. */
  readonly migration: Migration | undefined;
  readonly vm: VirtualMachine | undefined;
  /** The VM's instance, whether or not it is in this migration. */
  readonly instance: VirtualMachineInstance | undefined;
  /** What the target says about this migration. Absent: nothing. */
  readonly incoming: IncomingMigration | undefined;
  /** Whether the target can run VMs now. Absent: no target has been chosen. */
  readonly target: Verdict | undefined;
  /** That the source's boot in which the VM ran is over. Absent: nothing proves it. */
  readonly sourceOff: Proof | undefined;
  /** Whether the target's boot in which its copy was is proven to be over, too. */
  readonly isTargetOff: boolean;
  /** Asks whether it may begin; only called for one that has not. */
  readonly plan: () => MigrationVerdict;
  /** Asks whether its turn has come to be made ready: some are ahead, so that the next one need not wait for its target. */
  readonly turnToPrepare: (plan: MigrationPlan) => Verdict;
  /** Asks whether its turn has come to be copied; only called for one whose target is ready. */
  readonly turnToCopy: () => Verdict;
}

type Phase = NonNullable<NonNullable<Migration['status']>['phase']>;

/** The one thing to do next. Each is safe to do again, and the operator may die before and after it. */
export type MigrationStep =
  /** Nothing, until something changes, or until `untilMs` (Unix time). */
  | {
      readonly step: 'Await';
      /** Absent: as it is. */
      readonly phase?: Phase;
      readonly reason: string;
      readonly message: string;
      readonly untilMs?: number;
    }
  /** It has not begun, and never will. */
  | { readonly step: 'Refuse'; readonly failures: readonly MigrationFailure[] }
  | { readonly step: 'Begin'; readonly plan: MigrationPlan }
  | {
      readonly step: 'Order';
      readonly instance: VirtualMachineInstance;
      readonly order: InstanceMigration['order'];
      readonly why: string;
    }
  /** The source is off: the target is told so, ends a copy that has never run, and says what it has. */
  | { readonly step: 'AskTarget'; readonly instance: VirtualMachineInstance; readonly sourceFencedAt: string }
  /** The source has no copy any more: the target is the VM's host from now on. */
  | { readonly step: 'Switch'; readonly instance: VirtualMachineInstance }
  /** The VM stays at its source. */
  | { readonly step: 'Release'; readonly instance: VirtualMachineInstance; readonly failure: MigrationFailure }
  | { readonly step: 'Succeed' }
  /** It is over; its finalizer may go. */
  | { readonly step: 'LetGo' }
  /** Its time is over. */
  | { readonly step: 'Collect' };

/** How long a target may take to make ready. */
const PREPARE_TIMEOUT_MS = 60_000;

export function nextMigrationStep(input: MigrationInput): MigrationStep {
  const { migration, instance } = input;
  const mine = migration === undefined ? instance?.spec.migration : ownMigration(migration, instance);
  if (instance !== undefined && mine !== undefined) return underWay(input, instance, mine);
  if (migration === undefined) return wait(undefined, 'Gone', '');
  const { status, metadata } = migration;
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return finished(input, migration);
  if (status?.sourceEpoch !== undefined && instance?.spec.epoch !== status.sourceEpoch) {
    return afterwards(migration, instance);
  }
  if (metadata.deletionTimestamp !== undefined) return { step: 'LetGo' };
  const verdict = input.plan();
  if (!verdict.ok) return { step: 'Refuse', failures: verdict.failures };
  const turn = input.turnToPrepare(verdict);
  return turn.ok ? { step: 'Begin', plan: verdict } : wait('Pending', turn.reason, turn.message);
}

function ownMigration(
  { metadata }: Migration,
  instance: VirtualMachineInstance | undefined,
): InstanceMigration | undefined {
  const migration = instance?.spec.migration;
  return migration?.uid === metadata.uid ? migration : undefined;
}

function wait(phase: Phase | undefined, reason: string, message: string, untilMs?: number): MigrationStep {
  return { step: 'Await', ...(phase && { phase }), reason, message, ...(untilMs !== undefined && { untilMs }) };
}

/** The VM is in it. */
function underWay(input: MigrationInput, instance: VirtualMachineInstance, mine: InstanceMigration): MigrationStep {
  const told = instance.status?.migration?.uid === mine.uid ? instance.status.migration : undefined;
  switch (told?.phase) {
    case 'Moved':
      return { step: 'Switch', instance };
    case 'Failed':
      return {
        step: 'Release',
        instance,
        failure: { reason: told.reason ?? 'Failed', message: told.message ?? 'The source did not say why.' },
      };
    default:
      break;
  }
  if (input.sourceOff !== undefined) return withoutSource(input, instance, mine, input.sourceOff);
  switch (told?.phase) {
    case 'Unclear':
      return decide(input, instance, mine, questionOf(instance));
    default: {
      const cancelled = cancelledBecause(input, instance);
      if (cancelled !== undefined) return cancel(instance, mine, cancelled);
      if (mine.order === 'Prepare') return preparing(input, instance, mine);
      if (mine.order === 'Abort') return wait('Cancelling', 'Cancelling', `host ${instance.spec.host} is stopping it`);
      return wait('Running', 'Copying', `the memory of the VM is being copied to ${mine.targetHost}`);
    }
  }
}

/**
 * The question that the target has to answer: what it has after that time (RFC 3339). Undefined: none has been put.
 * A source that is off says no more; one that breaks off at the very end asks by its status.
 */
export function questionOf({ spec, status }: VirtualMachineInstance): string | undefined {
  const { migration } = spec;
  if (migration?.sourceFencedAt !== undefined) return migration.sourceFencedAt;
  const told = status?.migration;
  return told?.phase === 'Unclear' && told.uid === migration?.uid ? told.endedAt : undefined;
}

/** Nothing more comes from the source, and the guest does not run there. What the target has decides alone. */
function withoutSource(
  { incoming, isTargetOff, target }: MigrationInput,
  instance: VirtualMachineInstance,
  { order, targetHost, sourceFencedAt }: InstanceMigration,
  { method, fencedAt, detectedAt }: Proof,
): MigrationStep {
  const { host } = instance.spec;
  const lost = (why: string): MigrationStep => ({
    step: 'Release',
    instance,
    failure: { reason: 'SourceLost', message: `Host ${host} is off (${method}), and ${why}: the VM has stopped.` },
  });
  if (order === 'Prepare') return lost('copying had not begun');
  if (order === 'KeepSource') return lost(`${targetHost} had no copy`);
  if (order === 'KeepTarget') return { step: 'Switch', instance };
  if (sourceFencedAt === undefined) return { step: 'AskTarget', instance, sourceFencedAt: fencedAt ?? detectedAt };
  if (incoming?.answers === sourceFencedAt && incoming.domain === 'Running') return { step: 'Switch', instance };
  if (incoming?.answers === sourceFencedAt && incoming.domain === 'Absent') return lost(`${targetHost} has no copy`);
  if (isTargetOff) return lost(`so is ${targetHost}`);
  const why = target?.ok === false ? `, which does not answer: ${target.message}` : '';
  return wait(
    'Running',
    'SourceLost',
    `host ${host} is off; whether the VM runs at ${targetHost} is asked there${why}`,
  );
}

/** It broke off at the very end. What the target has after that break decides. */
function decide(
  { incoming, target }: MigrationInput,
  instance: VirtualMachineInstance,
  { order, targetHost }: InstanceMigration,
  breakAt: string | undefined,
): MigrationStep {
  if (order === 'KeepSource' || order === 'KeepTarget') {
    return wait('Running', 'Deciding', `host ${instance.spec.host} is told which copy goes on`);
  }
  if (incoming === undefined || incoming.answers !== breakAt) {
    const why = target?.ok === false ? `, which does not answer: ${target.message}` : '';
    return wait(
      'Running',
      'Unclear',
      `it broke off at its very end; whether the VM runs at ${targetHost} is asked there${why}`,
    );
  }
  switch (incoming.domain) {
    case 'Running':
      return { step: 'Order', instance, order: 'KeepTarget', why: `the copy on ${targetHost} runs` };
    case 'Absent':
      return { step: 'Order', instance, order: 'KeepSource', why: `${targetHost} has no copy` };
    case 'Receiving':
      return wait(
        'Running',
        'Unclear',
        `host ${targetHost} has a copy that does not run, and is given up by libvirt or resumed`,
      );
  }
}

function cancelledBecause({ migration, vm }: MigrationInput, instance: VirtualMachineInstance): string | undefined {
  if (migration === undefined) return 'its Migration is gone';
  if (migration.metadata.deletionTimestamp !== undefined) return 'the Migration was deleted';
  if (vm === undefined || vm.metadata.uid !== instance.spec.virtualMachineUID) return 'the VM was deleted';
  if (vm.metadata.deletionTimestamp !== undefined) return 'the VM was deleted';
  if (instance.metadata.deletionTimestamp !== undefined) return 'the instance of the VM was deleted';
  if (vm.spec.runStrategy === 'Halted') return 'the VM is to be halted';
  const asked = vm.metadata.annotations[RESTARTED_AT_ANNOTATION] ?? '';
  return asked !== '' && asked !== instance.spec.restartedAt ? 'the VM is to be restarted' : undefined;
}

function cancel(instance: VirtualMachineInstance, { order }: InstanceMigration, why: string): MigrationStep {
  switch (order) {
    // The source has never been told to begin.
    case 'Prepare':
      return { step: 'Release', instance, failure: { reason: 'Cancelled', message: `Cancelled: ${why}.` } };
    case 'Migrate':
      return { step: 'Order', instance, order: 'Abort', why };
    default:
      return wait('Cancelling', 'Cancelling', `host ${instance.spec.host} is stopping it: ${why}`);
  }
}

function preparing(
  { migration, incoming, target, nowMs, turnToCopy }: MigrationInput,
  instance: VirtualMachineInstance,
  { targetHost }: InstanceMigration,
): MigrationStep {
  if (instance.status?.phase !== 'Running') {
    const message = `The VM is ${instance.status?.phase ?? 'not running'} by now.`;
    return { step: 'Release', instance, failure: { reason: 'NotRunning', message } };
  }
  if (incoming?.ready) {
    const turn = turnToCopy();
    if (!turn.ok) return wait('Preparing', turn.reason, turn.message);
    return { step: 'Order', instance, order: 'Migrate', why: `host ${targetHost} is ready` };
  }
  const since = Date.parse(migration?.status?.startedAt ?? '');
  const untilMs = endOfWait(Number.isNaN(since) ? nowMs : since, PREPARE_TIMEOUT_MS, nowMs);
  const why = incoming?.message ?? (target?.ok === false ? target.message : 'its agent has not answered');
  if (nowMs < untilMs) {
    return wait(
      'Preparing',
      'Preparing',
      `host ${targetHost} makes ready${incoming === undefined ? '' : `: ${why}`}`,
      untilMs,
    );
  }
  const message = `Host ${targetHost} was not ready within ${PREPARE_TIMEOUT_MS / 1000} s: ${why}`;
  return { step: 'Release', instance, failure: { reason: incoming?.reason ?? 'TargetNotReady', message } };
}

/** The VM is in it no more, and how it ended has not been written down yet. */
function afterwards({ status }: Migration, instance: VirtualMachineInstance | undefined): MigrationStep {
  const { targetHost, sourceEpoch = 0 } = status ?? {};
  const hasSwitched = instance?.spec.host === targetHost && (instance?.spec.epoch ?? 0) > sourceEpoch;
  if (instance === undefined || !hasSwitched) {
    const message = `The VM left it by another way${instance === undefined ? '' : ` and is on ${instance.spec.host}`}.`;
    return { step: 'Refuse', failures: [{ reason: 'Interrupted', message }] };
  }
  const isTaken = instance.status?.observedEpoch === instance.spec.epoch && instance.status.host === instance.spec.host;
  return isTaken ? { step: 'Succeed' } : wait('Switching', 'Switching', `host ${instance.spec.host} takes the VM over`);
}

function finished({ nowMs }: MigrationInput, { metadata, spec, status }: Migration): MigrationStep {
  if (metadata.deletionTimestamp !== undefined) return { step: 'LetGo' };
  const untilMs = Date.parse(status?.finishedAt ?? '') + spec.ttlSecondsAfterFinished * 1000;
  if (Number.isNaN(untilMs)) return wait(undefined, 'Finished', '');
  return nowMs >= untilMs ? { step: 'Collect' } : wait(undefined, 'Finished', '', untilMs);
}
