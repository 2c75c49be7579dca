import { PLACEMENT_ANNOTATION } from '../../api/common/names.ts';
import { parseBytes } from '../../api/common/quantity.ts';
import type { Migration } from '../../api/migration.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import { VirtualMachineInstance, type VirtualMachineInstanceSpec } from '../../api/virtual-machine-instance.ts';
import type { InstanceMigration } from '../../api/virtual-machine-instance-migration.ts';
import { claimedBootOf } from '../../core/ha/proof.ts';
import { bootOfCopy } from '../../core/migration/copy.ts';
import type { MigrationPlan } from '../../core/migration/preconditions.ts';
import { keyOf } from '../../kube/index.ts';
import { CodedError } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { sealUserData } from '../virtual-machine/apply.ts';

type Deps = Pick<ControllerDependencies, 'client' | 'informers' | 'reservations'>;

const GIB = 2 ** 30;

/** Puts the migration into the intent: from here on the target makes ready. */
export async function begin(
  migration: Migration,
  vm: VirtualMachine,
  plan: MigrationPlan,
  deps: Deps,
  signal: AbortSignal,
): Promise<number> {
  const { instance, target } = plan;
  const sealedUserData = await sealUserData(vm, target.metadata.name, deps, signal);
  const wanted: InstanceMigration = {
    ...instanceMigration(migration, plan),
    ...(sealedUserData && { sealedUserData }),
  };
  return await write(instance, { ...instance.spec, migration: wanted }, deps, signal);
}

/**
 * Counts a VM at its target from the moment of the decision, before anything of it is written: what is decided meanwhile about others sees it.
 * @returns what takes that back when it comes to nothing
 */
export function reserveTarget(
  { instance, target }: Pick<MigrationPlan, 'instance' | 'target'>,
  { reservations }: Deps,
): () => void {
  const { spec, metadata } = instance;
  const key = keyOf(instance);
  const migration = { targetHost: target.metadata.name, order: 'Prepare' };
  reservations.assume(key, { ...spec, migration }, metadata.generation + 1);
  return () => {
    // An older placement would be ignored beside a newer one.
    reservations.forget(key);
    reservations.assume(key, spec, metadata.generation);
  };
}

function instanceMigration({ metadata }: Migration, { instance, target, settings }: MigrationPlan): InstanceMigration {
  const targetAddress = target.status?.address;
  const targetHost = target.metadata.name;
  if (targetAddress === undefined) {
    throw new CodedError('HostUnavailable', `host ${targetHost} has not told its address yet`);
  }
  const { bandwidth, maxPerHost } = settings;
  return {
    name: metadata.name,
    uid: metadata.uid,
    targetHost,
    targetAddress,
    order: 'Prepare',
    transport: settings.transport,
    ...(bandwidth !== undefined && {
      bandwidthBytesPerSecond: Math.max(1, Math.floor(parseBytes(bandwidth) / maxPerHost)),
    }),
    maxDowntimeMilliseconds: settings.maxDowntimeMilliseconds,
    autoConverge: settings.autoConverge,
    postCopy: settings.postCopy === 'AfterStall',
    progressTimeoutSeconds: settings.progressTimeoutSeconds,
    completionTimeoutSeconds: Math.max(
      1,
      Math.ceil((settings.completionTimeoutSecondsPerGiB * instance.spec.memoryBytes) / GIB),
    ),
  };
}

/** Tells the hosts of the VM what to do next. */
export async function give(
  instance: VirtualMachineInstance,
  change: Partial<Pick<InstanceMigration, 'order' | 'sourceFencedAt'>>,
  deps: Deps,
  signal: AbortSignal,
): Promise<number> {
  const { migration, ...spec } = instance.spec;
  return await write(instance, { ...spec, ...(migration && { migration: { ...migration, ...change } }) }, deps, signal);
}

/** Makes the target the VM's host: one write, by which one host's right to start it ends and the other's begins. */
export async function switchHost(
  instance: VirtualMachineInstance,
  explanation: string | undefined,
  deps: Deps,
  signal: AbortSignal,
): Promise<number> {
  // The target runs it already: in the boot in which it has told of its copy, or in one that it has yet to tell.
  const { migration, bootID: _, ...spec } = instance.spec;
  if (migration === undefined) return instance.metadata.generation;
  const bootID = bootOfCopy(deps.informers.hosts.get(migration.targetHost), migration.uid);
  const { cloudInit } = spec;
  const moved = {
    ...spec,
    host: migration.targetHost,
    epoch: spec.epoch + 1,
    ...(bootID !== undefined && { bootID }),
    ...(cloudInit && { cloudInit: { ...cloudInit, sealedUserData: migration.sealedUserData } }),
  };
  const annotations = {
    ...instance.metadata.annotations,
    ...(explanation !== undefined && { [PLACEMENT_ANNOTATION]: explanation }),
  };
  return await write({ ...instance, metadata: { ...instance.metadata, annotations } }, moved, deps, signal);
}

/**
 * Takes the migration out of the intent: the VM stays where it is, by a new placement in the boot that has it. A copy that the
 * target should have all the same is of an older one, and goes.
 */
export async function release(instance: VirtualMachineInstance, deps: Deps, signal: AbortSignal): Promise<number> {
  const { migration: _, bootID: __, ...spec } = instance.spec;
  const bootID = claimedBootOf(instance);
  return await write(
    instance,
    { ...spec, epoch: spec.epoch + 1, ...(bootID !== undefined && { bootID }) },
    deps,
    signal,
  );
}

/** Refused when anybody has changed the instance since the cache saw it. @returns the generation that it has now */
async function write(
  instance: VirtualMachineInstance,
  spec: VirtualMachineInstanceSpec,
  { client, reservations }: Deps,
  signal: AbortSignal,
): Promise<number> {
  const written = await client.update(VirtualMachineInstance, { ...instance, spec }, { signal });
  const { generation } = written.metadata;
  reservations.assume(keyOf(instance), spec, generation);
  return generation;
}
