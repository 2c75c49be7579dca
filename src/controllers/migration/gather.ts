import type { Migration } from '../../api/migration.ts';
import { proofOfHost } from '../../core/ha/proof.ts';
import { isCopyOver } from '../../core/migration/copy.ts';
import { isOver } from '../../core/migration/is-over.ts';
import type { MigrationInput } from '../../core/migration/next-step.ts';
import { turnOf } from '../../core/migration/turn.ts';
import { readiness } from '../../core/model/read-host.ts';
import { no, type Verdict, YES } from '../../core/model/verdict.ts';
import type { VirtualMachineInput } from '../../core/virtual-machine/next-step.ts';
import { type ObjectKey, refOfKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_MIGRATION } from '../informers.ts';
import { gather as gatherVirtualMachine } from '../virtual-machine/gather.ts';
import { planFor } from './plan.ts';

type Deps = Pick<ControllerDependencies, 'clock' | 'informers' | 'inventories' | 'reservations'>;

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
    sourceOff: instance && proofOfHost(instance, informers.hosts.get(instance.spec.host)),
    isTargetOff: uid !== undefined && isCopyOver(target, uid),
    target: targetName === undefined ? undefined : target ? readiness(target) : no('HostNotFound', 'its Host is gone'),
    plan: () => {
      if (migration === undefined) throw new Error(`there is no Migration ${name}`);
      const { virtualMachineName = '', targetHost, cause } = migration.spec;
      const wish = { virtualMachineName, targetHost, uid, isEvacuation: cause === 'Maintenance' };
      return planFor(`${namespace}/${virtualMachineName}`, wish, deps, groupOf(migration, deps));
    },
    turnToPrepare: ({ sourceHost, target: { metadata } }) =>
      turn({ source: sourceHost, target: metadata.name }, 'prepared', virtualMachine, deps),
    turnToCopy: () =>
      turn({ source: instance?.spec.host ?? '', target: targetName ?? '' }, 'copied', virtualMachine, deps),
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

/** Whether the turn of a migration has come. A VM that has left its source takes no place any more. */
function turn(
  pair: { readonly source: string; readonly target: string },
  what: 'prepared' | 'copied',
  virtualMachine: VirtualMachineInput | undefined,
  { informers, reservations }: Deps,
): Verdict {
  const { cluster, inventory } = virtualMachine ?? {};
  const settings = cluster?.ok ? informers.clusters.get(cluster.cluster)?.spec.migration : undefined;
  if (settings === undefined) return YES;
  const members = new Set(inventory?.hosts.map(({ name }) => name));
  const underWay = reservations
    .migrations()
    .filter(
      ({ key, source }) => members.has(source) && informers.instances.get(key)?.status?.migration?.phase !== 'Moved',
    );
  return turnOf(pair, what, underWay, settings);
}
