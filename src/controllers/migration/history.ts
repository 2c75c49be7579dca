import type { Migration } from '../../api/migration.ts';
import { isOver } from '../../core/migration/is-over.ts';
import type { ObjectKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_GROUP, BY_GROUP_MEMBER, BY_VM } from '../informers.ts';

export interface History {
  /** Those that have not ended. */
  readonly underWay: readonly Migration[];
  /** Those of this cause that have failed, oldest first; what became of a deleted VM of the same name is not counted. */
  readonly failed: readonly Migration[];
}

/** The Migrations of a VM (key), those of its RuleGroups among them. */
export function historyOf(
  key: ObjectKey,
  cause: Migration['spec']['cause'],
  { informers, inventories }: Pick<ControllerDependencies, 'informers' | 'inventories'>,
): History {
  const { migrations } = informers;
  const createdAt = informers.virtualMachines.get(key)?.metadata.creationTimestamp ?? '';
  const groups = inventories.groupsOf(key).map(({ name }) => name);
  const all = new Set([
    ...migrations.byIndex(BY_VM, key),
    ...migrations.byIndex(BY_GROUP_MEMBER, key),
    // Before it begins, the Migration of a RuleGroup does not name its VMs.
    ...groups.flatMap((group) => migrations.byIndex(BY_GROUP, group)),
  ]);
  return {
    underWay: [...all].filter((migration) => !isOver(migration)),
    failed: [...all]
      .filter(({ spec, status }) => spec.cause === cause && status?.phase === 'Failed')
      .filter(({ metadata }) => metadata.creationTimestamp >= createdAt)
      .toSorted((a, b) => endOf(a) - endOf(b)),
  };
}

function endOf({ status }: Migration): number {
  return Date.parse(status?.finishedAt ?? '') || 0;
}
