import { type GroupMember, type GroupVerdict, planGroup } from '../../core/migration/group-plan.ts';
import {
  type MigrationVerdict,
  type MigrationWish,
  migrationRequest,
  obstaclesToLeaving,
  planMigration,
} from '../../core/migration/preconditions.ts';
import { movedTogether } from '../../core/migration/together.ts';
import type { ObjectKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { groupMigrationOf } from '../inventory/group-migrations.ts';
import { gather as gatherVirtualMachine } from '../virtual-machine/gather.ts';

export type PlanDeps = Pick<ControllerDependencies, 'clock' | 'informers' | 'inventories'>;

/** Whether a VM (key) can be moved now, and where to. */
export function planFor(
  key: ObjectKey,
  wish: MigrationWish,
  deps: PlanDeps,
  group: { readonly name: string; readonly members: ReadonlySet<string> } | undefined,
): MigrationVerdict {
  const { informers } = deps;
  const virtualMachine = gatherVirtualMachine(key, deps);
  const { cluster } = virtualMachine;
  const moving = groupMigrationOf(key, deps);
  return planMigration({
    wish,
    virtualMachine,
    cluster: cluster.ok ? informers.clusters.get(cluster.cluster) : undefined,
    together: group?.members,
    groupMigration: moving?.metadata.name === group?.name ? undefined : moving?.metadata.name,
    findHost: (host) => informers.hosts.get(host),
  });
}

/** Whether VMs (keys) can be moved now as one, and where to. */
export function planForGroup(
  keys: readonly ObjectKey[],
  { targetHost, isEvacuation }: Pick<MigrationWish, 'targetHost' | 'isEvacuation'>,
  name: string | undefined,
  deps: PlanDeps,
): GroupVerdict {
  const { informers, inventories } = deps;
  const findHost = (host: string) => informers.hosts.get(host);
  const members = keys.flatMap((key): GroupMember[] => {
    const virtualMachine = gatherVirtualMachine(key, deps);
    const { instance, cluster } = virtualMachine;
    if (instance === undefined) return [];
    const moving = groupMigrationOf(key, deps)?.metadata.name;
    const situation = {
      wish: { virtualMachineName: instance.metadata.name, targetHost, uid: undefined, isEvacuation },
      virtualMachine,
      cluster: cluster.ok ? informers.clusters.get(cluster.cluster) : undefined,
      together: new Set(keys),
      groupMigration: moving === name ? undefined : moving,
      findHost,
    };
    const request = { ...migrationRequest(virtualMachine, instance), isEvacuation };
    return [{ key, instance, request, obstacles: obstaclesToLeaving(situation, instance) }];
  });
  const [first] = keys;
  const cluster = first === undefined ? undefined : gatherVirtualMachine(first, deps).cluster;
  const clusterName = cluster?.ok ? cluster.cluster : undefined;
  const admission = inventories.reserves.of(clusterName);
  return planGroup(members, inventories.of(clusterName), targetHost, findHost, admission);
}

/** VMs (keys, sorted) that can only be moved together with this one, itself among them. */
export function togetherWith(key: ObjectKey, { inventories }: PlanDeps): string[] {
  return movedTogether(key, inventories);
}
