import { MAX_GROUP, type Migration, type MigrationFailure } from '../../api/migration.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { endOfWait } from '../model/clock.ts';
import { fnv1a64 } from '../virtual-machine/hash.ts';
import type { GroupMember, GroupVerdict } from './group-plan.ts';
import { isOver } from './is-over.ts';

export type MemberState = NonNullable<NonNullable<Migration['status']>['members']>[number];

/** A VM of a group that is under way. */
export interface MovingMember {
  readonly virtualMachine: string;
  readonly sourceHost: string;
  /** Absent: it is on no host any more. */
  readonly instance: VirtualMachineInstance | undefined;
  /** Finds one of its Migrations by name. */
  readonly findMigration: (name: string) => Migration | undefined;
}

export interface GroupInput {
  /** Unix time, milliseconds. */
  readonly nowMs: number;
  readonly migration: Migration;
  /** VMs that it has begun to move. Empty: it has not begun. */
  readonly members: readonly MovingMember[];
  /** Asks whether it may begin; only called for one that has not. */
  readonly plan: () => GroupVerdict;
}

/** A Migration of one VM of the group that is to be made. */
export interface PartToMake {
  readonly name: string;
  readonly virtualMachine: string;
  readonly targetHost: string;
}

export type GroupStep =
  | { readonly step: 'Await'; readonly reason: string; readonly message: string; readonly untilMs?: number }
  | { readonly step: 'Refuse'; readonly failures: readonly MigrationFailure[] }
  | { readonly step: 'Begin'; readonly targetHost: string; readonly members: readonly GroupMember[] }
  /** Some are made, some are stopped; both may be none. */
  | {
      readonly step: 'Move';
      readonly isReturning: boolean;
      readonly make: readonly PartToMake[];
      readonly stop: readonly Migration[];
      readonly members: readonly MemberState[];
      /** Why it returns. Absent: it does not, or it is known already. */
      readonly failure?: MigrationFailure;
      readonly untilMs?: number;
    }
  | { readonly step: 'Succeed'; readonly members: readonly MemberState[] }
  | { readonly step: 'Fail'; readonly members: readonly MemberState[] }
  | { readonly step: 'LetGo' }
  | { readonly step: 'Collect' };

/** Before a VM that could not return is tried again; doubled each time. */
const RETRY_MS = 15_000;
/** How often it is tried. */
const ATTEMPTS = 5;

export function nextGroupStep(input: GroupInput): GroupStep {
  const { migration, members } = input;
  const { status, metadata } = migration;
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return finished(input);
  if (members.length > 0 && status?.targetHost !== undefined) return moving(input, status.targetHost);
  if (metadata.deletionTimestamp !== undefined) return { step: 'LetGo' };
  const verdict = input.plan();
  if (!verdict.ok) return { step: 'Refuse', failures: verdict.failures };
  if (verdict.members.length > MAX_GROUP) {
    const message = `${verdict.members.length} VMs would have to be moved as one, at most ${MAX_GROUP} are`;
    return { step: 'Refuse', failures: [{ reason: 'TooManyMembers', message }] };
  }
  return { step: 'Begin', targetHost: verdict.targetHost, members: verdict.members };
}

function moving(input: GroupInput, target: string): GroupStep {
  const { migration, members, nowMs } = input;
  const there = members.map((member) => forward(member, migration, target));
  const failed = there.find(({ failure }) => failure !== undefined);
  const isDeleted = migration.metadata.deletionTimestamp !== undefined;
  const isReturning = migration.status?.phase === 'Returning' || isDeleted || failed !== undefined;
  if (!isReturning) {
    const states = there.map(({ state }) => state);
    if (states.every(({ state }) => state === 'Arrived')) return { step: 'Succeed', members: states };
    return {
      step: 'Move',
      isReturning,
      make: there.flatMap(({ make }) => make ?? []),
      stop: [],
      members: states,
    };
  }
  const back = members.map((member) => backward(member, migration, target, nowMs));
  const states = back.map(({ state }) => state);
  const stop = there.flatMap(({ underWay }) => underWay ?? []);
  if (stop.length === 0 && states.every(({ state }) => state === 'Returned' || state === 'Failed')) {
    return { step: 'Fail', members: states };
  }
  const waits = back.flatMap(({ untilMs }) => untilMs ?? []);
  const failure = failed?.failure ?? (isDeleted ? CANCELLED : undefined);
  return {
    step: 'Move',
    isReturning,
    make: back.flatMap(({ make }) => make ?? []),
    stop: stop.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
    members: states,
    ...(failure && migration.status?.phase !== 'Returning' && { failure }),
    ...(waits.length > 0 && { untilMs: Math.min(...waits) }),
  };
}

const CANCELLED: MigrationFailure = { reason: 'Cancelled', message: 'It was deleted; the VMs return.' };

interface Part {
  readonly state: MemberState;
  readonly make?: PartToMake;
  /** The Migration that moves it now. */
  readonly underWay?: Migration;
  readonly failure?: MigrationFailure;
  readonly untilMs?: number;
}

/** A VM on its way to the target. One that is on no host any more has nothing to move. */
function forward(
  { virtualMachine, sourceHost, instance, findMigration }: MovingMember,
  group: Migration,
  target: string,
): Part {
  const at = (state: MemberState['state']): MemberState => ({ virtualMachine, sourceHost, state });
  const name = partName(group, virtualMachine, 'to', 1);
  const part = findMigration(name);
  if (part !== undefined && !isOver(part)) return { state: at('Moving'), underWay: part };
  if (instance === undefined || instance.spec.host === target) return { state: at('Arrived') };
  if (part?.status?.phase === 'Failed') {
    const [first] = part.status.failures ?? [];
    const message = `VM ${virtualMachine}: ${first?.message ?? 'it could not be moved'}`.slice(0, 1024);
    return { state: at('Failed'), failure: { reason: first?.reason ?? 'Failed', message } };
  }
  return { state: at('Waiting'), make: { name, virtualMachine, targetHost: target } };
}

/** A VM on its way back. */
function backward(
  { virtualMachine, sourceHost, instance, findMigration }: MovingMember,
  group: Migration,
  target: string,
  nowMs: number,
): Part {
  const at = (state: MemberState['state']): MemberState => ({ virtualMachine, sourceHost, state });
  if (instance === undefined || instance.spec.host !== target || sourceHost === target)
    return { state: at('Returned') };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const name = partName(group, virtualMachine, 'back', attempt);
    const part = findMigration(name);
    const make = { name, virtualMachine, targetHost: sourceHost };
    if (part === undefined) {
      const before = findMigration(partName(group, virtualMachine, 'back', attempt - 1))?.status?.finishedAt;
      const untilMs =
        before === undefined ? nowMs : endOfWait(Date.parse(before), RETRY_MS * 2 ** (attempt - 2), nowMs);
      return nowMs < untilMs ? { state: at('Returning'), untilMs } : { state: at('Returning'), make };
    }
    if (!isOver(part)) return { state: at('Returning'), underWay: part };
  }
  // It stays apart from the others; the RuleGroup shows it, and repairs it when it can.
  return { state: at('Failed') };
}

/** Always the same for the same part, so that an operator that died does not make it twice. */
function partName({ metadata }: Migration, virtualMachine: string, way: 'to' | 'back', attempt: number): string {
  const hash = (fnv1a64(`${metadata.uid}/${way}/${attempt}`) & 0xffffffffffn).toString(16).padStart(10, '0');
  return `${virtualMachine}-${way}-${hash}`;
}

function finished({ nowMs, migration: { metadata, spec, status } }: GroupInput): GroupStep {
  if (metadata.deletionTimestamp !== undefined) return { step: 'LetGo' };
  const untilMs = Date.parse(status?.finishedAt ?? '') + spec.ttlSecondsAfterFinished * 1000;
  if (Number.isNaN(untilMs)) return { step: 'Await', reason: 'Finished', message: '' };
  return nowMs >= untilMs ? { step: 'Collect' } : { step: 'Await', reason: 'Finished', message: '', untilMs };
}
