import type { Migration } from '../../api/migration.ts';
import type { MigrationInput } from '../../core/migration/next-step.ts';
import type { MigrationPlan } from '../../core/migration/preconditions.ts';
import { readiness } from '../../core/model/read-host.ts';
import { no, type Verdict, YES } from '../../core/model/verdict.ts';
import { type ObjectKey, refOfKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_MIGRATION } from '../informers.ts';
import { isOver } from '../inventory/group-migrations.ts';
import { gather as gatherVirtualMachine } from '../virtual-machine/gather.ts';
import { planFor } from './plan.ts';

type Deps = Pick<ControllerDependencies, 'informers' | 'inventories' | 'reservations'>;

/** Everything that one pass over a Migration looks at, from the caches. */
export function gather(key: ObjectKey, deps: Deps, now: Date): MigrationInput {
  const { informers } = deps;
  const migration = informers.migrations.get(key);
  const { namespace = '', name } = refOfKey(key);
  const vmKey =
    migration?.spec.virtualMachineName === undefined
      ? informers.instances.byIndex(BY_MIGRATION, key)[0]?.metadata
      : { namespace, name: migration.spec.virtualMachineName };
  const virtualMachine = vmKey && gatherVirtualMachine(`${vmKey.namespace}/${vmKey.name}`, deps);
  const instance = virtualMachine?.instance;
  const targetName = instance?.spec.migration?.targetHost ?? migration?.status?.targetHost;
  const target = targetName === undefined ? undefined : informers.hosts.get(targetName);
  const uid = migration?.metadata.uid ?? instance?.spec.migration?.uid;
  return {
    nowMs: now.getTime(),
    migration,
    vm: virtualMachine?.vm,
    instance,
    incoming: target?.status?.incomingMigrations.find((arrival) => arrival.uid === uid),
    target: targetName === undefined ? undefined : target ? readiness(target) : no('HostNotFound', 'its Host is gone'),
    plan: () => {
      if (migration === undefined) throw new Error(`there is no Migration ${name}`);
      const { virtualMachineName = '', targetHost } = migration.spec;
      const wish = { virtualMachineName, targetHost, uid };
      return planFor(`${namespace}/${virtualMachineName}`, wish, deps, groupOf(migration, deps));
    },
    turn: (plan) => turnOf(plan, virtualMachine?.inventory.hosts.map((host) => host.name) ?? [], deps),
  };
}

/** The RuleGroup's Migration that this one is a part of, if it is. */
function groupOf({ metadata, spec }: Migration, { informers }: Deps) {
  const { groupMigrationName: name, virtualMachineName } = spec;
  if (name === undefined) return undefined;
  const group = informers.migrations.get(`${metadata.namespace}/${name}`);
  const members = group?.status?.members ?? [];
  // Anybody can write the name into a Migration: the group's own must say so, too.
  if (group === undefined || isOver(group) || !members.some((each) => each.virtualMachine === virtualMachineName))
    return undefined;
  return { name, members: new Set(members.map(({ virtualMachine }) => `${metadata.namespace}/${virtualMachine}`)) };
}

/** Whether the limits of the Cluster leave room for one migration more. */
function turnOf(
  { sourceHost, target, settings }: MigrationPlan,
  clusterHosts: readonly string[],
  { reservations }: Deps,
): Verdict {
  const members = new Set(clusterHosts);
  const others = reservations.migrations().filter(({ source }) => members.has(source));
  if (others.length >= settings.maxPerCluster) {
    return no(
      'Queued',
      `${others.length} VMs of the Cluster migrate, no more do at once (spec.migration.maxPerCluster)`,
    );
  }
  for (const host of [sourceHost, target.metadata.name]) {
    const busy = others.filter((other) => other.source === host || other.target === host).length;
    if (busy >= settings.maxPerHost) {
      return no(
        'Queued',
        `host ${host} takes part in ${busy} migrations, no more do at once (spec.migration.maxPerHost)`,
      );
    }
  }
  return YES;
}
