import type { Host } from '../../api/host.ts';

/**
 * Boot of the target in which its copy of a VM is, or was. A migration makes one copy at most, and the boot that tells of it has it.
 * Undefined: the target has not told of one.
 */
export function bootOfCopy(target: Host | undefined, migrationUID: string): string | undefined {
  const arrival = target?.status?.incomingMigrations.find(({ uid }) => uid === migrationUID);
  return arrival === undefined || arrival.domain === 'Absent' ? undefined : target?.status?.bootID;
}

/** Whether the boot of the target in which its copy was is proven to be over. An administrator has looked at the host itself. */
export function isCopyOver(target: Host | undefined, migrationUID: string): boolean {
  const fence = target?.status?.availability?.fence;
  if (fence?.confirmedAt === undefined || fence.bootID !== target?.status?.bootID) return false;
  return fence.method === 'Administrator' || bootOfCopy(target, migrationUID) === fence.bootID;
}
