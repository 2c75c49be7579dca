import type { MigrationInput } from '../../core/migration/next-step.ts';
import { type MigrationPlan, planMigration } from '../../core/migration/preconditions.ts';
import { readiness } from '../../core/model/read-host.ts';
import { no, type Verdict, YES } from '../../core/model/verdict.ts';
import { type ObjectKey, refOfKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_MIGRATION } from '../informers.ts';
import { gather as gatherVirtualMachine } from '../virtual-machine/gather.ts';

type Deps = Pick<ControllerDependencies, 'informers' | 'inventories' | 'reservations'>;

/** Everything that one pass over a Migration looks at, from the caches. */
export function gather(key: ObjectKey, deps: Deps, now: Date): MigrationInput {
  const { informers } = deps;
  const migration = informers.migrations.get(key);
  const { namespace = '', name } = refOfKey(key);
  const vmKey =
    migration === undefined
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
      if (migration === undefined || virtualMachine === undefined) throw new Error(`there is no Migration ${name}`);
      const { cluster } = virtualMachine;
      return planMigration({
        migration,
        virtualMachine,
        cluster: cluster.ok ? informers.clusters.get(cluster.cluster) : undefined,
        findHost: (host) => informers.hosts.get(host),
      });
    },
    turn: (plan) => turnOf(plan, virtualMachine?.inventory.hosts.map((host) => host.name) ?? [], deps),
  };
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
