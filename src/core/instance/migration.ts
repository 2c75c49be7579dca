import type { InstanceMigrationStatus } from '../../api/virtual-machine-instance-migration.ts';
import type { MigrationJob, Situation } from './situation.ts';

/** What the source does next about the migration of one VM. */
export type MigrationStep =
  /** Nothing: the VM goes on as without a migration. */
  | { readonly step: 'GoOn' }
  | { readonly step: 'StartMigration'; readonly why: string }
  | { readonly step: 'AbortMigration'; readonly why: string }
  /** The guest goes on here after a break at the very end. */
  | { readonly step: 'Resume'; readonly why: string }
  /** The copy here, which is paused, goes: the one at the target runs. */
  | { readonly step: 'DropCopy'; readonly why: string }
  | { readonly step: 'AwaitMigration' };

/**
 * What the source says of the migration in its intent. Undefined: there is none, or it has not begun.
 *
 * It says `Moved` only with the proof that no copy is left here, and `Failed` only when its own copy goes on, or has
 * ended by itself: the operator acts on either without looking at the target. Everything else is `Unclear`.
 */
export function migrationStatus(situation: Situation): InstanceMigrationStatus | undefined {
  const migration = situation.instance.spec.migration;
  if (migration === undefined) return undefined;
  const { job, domain } = situation;
  const { uid, order } = migration;
  const told = situation.instance.status?.migration;
  const before = told?.uid === uid ? told : undefined;
  // What was said once stays said: the operator may have acted on it.
  if (before?.phase === 'Failed' || before?.phase === 'Moved') return before;
  const mine = job?.uid === uid ? job : undefined;
  const began = mine?.startedAt ?? before?.startedAt;
  const common = {
    uid,
    ...(began !== undefined && { startedAt: began }),
    ...(mine?.progress && { progress: mine.progress }),
    ...(mine?.downtimeMilliseconds !== undefined && { downtimeMilliseconds: mine.downtimeMilliseconds }),
  };
  if (mine?.state === 'Running') return { ...common, phase: 'Running' };
  const hasBegun = mine !== undefined || before !== undefined;
  const endedAt = before?.endedAt ?? mine?.endedAt ?? new Date(situation.nowMs).toISOString();
  const failed = (reason: string, message: string): InstanceMigrationStatus => ({
    ...common,
    phase: 'Failed',
    endedAt,
    ...(mine?.failure ?? { reason, message }),
  });
  if (domain === undefined) return withoutDomain(situation, { ...common, endedAt }, failed);
  if (!hasBegun && order === 'Abort') return failed('Cancelled', 'It was cancelled before it had begun.');
  if (!hasBegun) return undefined;
  if (!domain.state.running && domain.state.pausedBy === 'Migration') return { ...common, phase: 'Unclear', endedAt };
  return failed('Interrupted', 'libvirt or the agent was ended while it copied; the VM runs on at its source.');
}

function withoutDomain(
  { instance, end, run }: Situation,
  common: Omit<InstanceMigrationStatus, 'phase'>,
  failed: (reason: string, message: string) => InstanceMigrationStatus,
): InstanceMigrationStatus | undefined {
  const order = instance.spec.migration?.order;
  if (order === 'Prepare') return undefined;
  if (order === 'KeepTarget') return { ...common, phase: 'Moved' };
  // A run that never began, or none at all, cannot have been moved.
  if (order === 'KeepSource' || run === undefined || end?.began === false)
    return failed('GuestGone', 'The VM was not running any more.');
  if (end?.reason === 'Migrated') return { ...common, phase: 'Moved' };
  // Only a guest whose CPUs ran here can shut itself down here.
  if (end?.reason === 'Shutdown') return failed('GuestStopped', 'The guest shut itself down meanwhile.');
  return { ...common, phase: 'Unclear' };
}

export function migrationStep(situation: Situation): MigrationStep {
  const { domain, job, instance } = situation;
  const migration = instance.spec.migration;
  if (migration === undefined) {
    // Its order went with an instance that was torn away: the target would destroy what nobody has ordered.
    return job?.state === 'Running' && !isBeingAborted(job)
      ? { step: 'AbortMigration', why: 'the intent does not ask for the migration under way any more' }
      : { step: 'GoOn' };
  }
  const { order, targetHost } = migration;
  const status = migrationStatus(situation);
  switch (status?.phase) {
    case 'Failed':
      return { step: 'GoOn' };
    case 'Moved':
      return { step: 'AwaitMigration' };
    case 'Running':
      return order === 'Abort' && !isBeingAborted(job)
        ? { step: 'AbortMigration', why: 'the migration was cancelled' }
        : { step: 'AwaitMigration' };
    case 'Unclear':
      if (domain === undefined) return { step: 'AwaitMigration' };
      if (order === 'KeepSource')
        return { step: 'Resume', why: `the migration broke off, and ${targetHost} has no copy` };
      if (order === 'KeepTarget')
        return { step: 'DropCopy', why: `the migration broke off, and the copy on ${targetHost} runs` };
      return { step: 'AwaitMigration' };
    case undefined:
      if (order !== 'Migrate' || domain === undefined) return { step: 'GoOn' };
      // libvirt would not take a paused guest's word for its end, and a start has to come to its own first.
      return domain.state.running
        ? { step: 'StartMigration', why: `Migration ${migration.name} moves it to ${targetHost}` }
        : { step: 'GoOn' };
  }
}

function isBeingAborted(job: MigrationJob | undefined): boolean {
  return job?.abortAsked === true;
}
