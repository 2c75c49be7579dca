import type { Migration } from '../../api/migration.ts';
import { isOver } from '../../core/migration/is-over.ts';
import { keepsTogether } from '../../core/migration/together.ts';
import type { ObjectKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_GROUP_MEMBER } from '../informers.ts';

/**
 * The Migration that moves a RuleGroup of a VM, or one that shares members with it. While there is one the group is frozen: nobody
 * else moves or places its VMs.
 */
export function groupMigrationOf(
  key: ObjectKey,
  { informers, inventories }: Pick<ControllerDependencies, 'informers' | 'inventories'>,
): Migration | undefined {
  const members = new Set([key]);
  for (const group of inventories.groupsOf(key)) {
    if (keepsTogether(group)) for (const member of group.members) members.add(member);
  }
  for (const member of members) {
    const found = informers.migrations.byIndex(BY_GROUP_MEMBER, member).find((migration) => !isOver(migration));
    if (found !== undefined) return found;
  }
  return undefined;
}
