import { CLEANUP_FINALIZER, VOLUME_PROTECTION_FINALIZER } from '../../api/common/names.ts';
import { VirtualMachine } from '../../api/virtual-machine.ts';
import { Volume } from '../../api/volume.ts';
import { workerHost } from '../../core/storage/worker-host.ts';
import { strayWith } from '../../core/virtual-machine/stray.ts';
import { isLeftByAnother, volumeNamesOf } from '../../core/virtual-machine/volumes.ts';
import { KubeError, keyOf, type ObjectKey } from '../../kube/index.ts';
import {
  Controller,
  done,
  type ReconcileContext,
  type Result,
  requeueAfter,
  setConditions,
  source,
} from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { BY_VOLUME } from '../informers.ts';
import { readyHostsWith } from '../inventory/datastore-hosts.ts';
import { datastoresNotVisible, unassignedStatus } from '../unassigned.ts';
import { userOfVolume } from '../virtual-machine/gather.ts';
import { writeFinalizers } from '../write-finalizers.ts';
import { writeStatus } from '../write-status.ts';

const RETRY_MS = 15_000;

/** Protects Volumes that are in use, gives each to the host that shall work on it, and lets deleted ones go. */
export function volumeController(deps: ControllerDependencies): Controller {
  const { volumes, virtualMachines, instances, hosts, datastores, images } = deps.informers;
  const waiting = () =>
    volumes
      .list()
      .filter(({ status }) => status?.phase !== 'Ready')
      .map(keyOf);
  return new Controller({
    name: 'volume',
    concurrency: 8,
    sources: [
      source(volumes),
      source(virtualMachines, ({ object }) => volumeKeys(object.metadata.namespace, volumeNamesOf(object))),
      source(instances, ({ object }) =>
        volumeKeys(
          object.metadata.namespace,
          object.spec.disks.map(({ volumeName }) => volumeName),
        ),
      ),
      source(hosts, waiting),
      source(datastores, waiting),
      // A Volume may have been given to a host before it was known what it is copied from.
      source(images, ({ key }) =>
        volumes
          .list()
          .filter((volume) => copiesFrom(volume) === key)
          .map(keyOf),
      ),
    ],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

/** Key of the Image that a Volume is still to be copied from. */
function copiesFrom({ metadata, spec, status }: Volume): ObjectKey | undefined {
  const { imageName } = spec.source;
  return imageName === undefined || status?.path !== undefined ? undefined : `${metadata.namespace}/${imageName}`;
}

function volumeKeys(namespace: string | undefined, names: readonly string[]): ObjectKey[] {
  return names.map((name) => `${namespace}/${name}`);
}

async function reconcile(key: ObjectKey, context: ReconcileContext, deps: ControllerDependencies): Promise<Result> {
  const volume = deps.informers.volumes.get(key);
  if (volume === undefined) return done;
  if (volume.metadata.deletionTimestamp !== undefined) return await letGo(volume, context, deps);
  if (!isProtected(volume)) {
    await protect(volume, context, deps);
    return done;
  }
  if (await isAbandoned(volume, context, deps)) {
    const { uid } = volume.metadata;
    await deps.client.delete(Volume, volume.metadata, { uid, signal: context.signal });
    return done;
  }
  return await assign(volume, context, deps);
}

function isProtected({ metadata }: Volume): boolean {
  return [CLEANUP_FINALIZER, VOLUME_PROTECTION_FINALIZER].every((finalizer) => metadata.finalizers.includes(finalizer));
}

/** Nothing is written for a Volume before it is protected: otherwise it could vanish and leave its data behind. */
async function protect(
  volume: Volume,
  { signal }: ReconcileContext,
  { client }: ControllerDependencies,
): Promise<void> {
  const finalizers = [...new Set([...volume.metadata.finalizers, CLEANUP_FINALIZER, VOLUME_PROTECTION_FINALIZER])];
  await writeFinalizers(client, Volume, volume, finalizers, signal);
}

/**
 * Whether the VM that the Volume was made for is gone, asked of the API server itself: what follows deletes data. The
 * garbage collector of Kubernetes does the same; this does not wait for it.
 */
async function isAbandoned(
  volume: Volume,
  { signal }: ReconcileContext,
  { client, informers }: ControllerDependencies,
): Promise<boolean> {
  const owner = volume.metadata.ownerReferences.find(({ kind }) => kind === VirtualMachine.kind);
  const { namespace } = volume.metadata;
  if (owner === undefined) return false;
  if (informers.virtualMachines.find({ namespace, name: owner.name })?.metadata.uid === owner.uid) return false;
  try {
    const vm = await client.get(VirtualMachine, { namespace, name: owner.name }, { signal });
    return vm.metadata.uid !== owner.uid;
  } catch (error) {
    if (error instanceof KubeError && error.isNotFound()) return true;
    throw error;
  }
}

/** The host of the VM that uses the Volume works on it; else a host that sees its datastore. */
async function assign(
  volume: Volume,
  { signal, clock }: ReconcileContext,
  { client, informers }: ControllerDependencies,
): Promise<Result> {
  const { namespace, name } = volume.metadata;
  const user = userOfVolume(namespace ?? '', name, informers);
  const host = chooseHost(volume, user, informers);
  const message = datastoresNotVisible(datastoresOf(volume, informers));
  const progress = host === undefined ? unassignedStatus(volume, message, clock.now()) : { host };
  const status = { ...progress, ...(user !== undefined && { attachedTo: user }) };
  await writeStatus(client, Volume, volume, status, { fieldManager: FIELD_MANAGERS.volume, signal });
  return host === undefined ? requeueAfter(RETRY_MS, message) : done;
}

/** Datastores that its host must see: its own, and until it is made that of the image it is copied from. */
function datastoresOf(volume: Volume, { images }: ControllerDependencies['informers']): string[] {
  const { datastoreName } = volume.spec;
  const image = images.get(copiesFrom(volume) ?? '');
  return [...new Set([datastoreName, image?.spec.datastoreName ?? datastoreName])];
}

function chooseHost(
  volume: Volume,
  user: string | undefined,
  informers: ControllerDependencies['informers'],
): string | undefined {
  const { namespace, name } = volume.metadata;
  const current = volume.status?.host;
  const shared = informers.datastores.get(volume.spec.datastoreName)?.spec.shared ?? false;
  // The data of a Volume that is not shared lies on one host, for good.
  if (!shared && volume.status?.path !== undefined) return current;
  const running = user === undefined ? undefined : informers.instances.find({ namespace, name: user })?.spec.host;
  if (running !== undefined) return running;
  const candidates = readyHostsWith(datastoresOf(volume, informers), informers);
  if (current !== undefined && candidates.includes(current)) return current;
  return workerHost(`${namespace}/${user ?? name}`, candidates);
}

/** Deletion: first the protection goes, once nobody uses the Volume; then the agent deletes the data; then the rest. */
async function letGo(
  volume: Volume,
  { signal, clock }: ReconcileContext,
  { client, informers, reservations }: ControllerDependencies,
): Promise<Result> {
  const { finalizers, generation } = volume.metadata;
  const others = (finalizer: string) => finalizers.filter((other) => other !== finalizer);
  if (finalizers.includes(VOLUME_PROTECTION_FINALIZER)) {
    const onItsWay = reservations.placedWith(keyOf(volume));
    if (onItsWay !== undefined) return requeueAfter(RETRY_MS, `the instance of ${onItsWay} is not in the cache yet`);
    const holder = holderOf(volume, informers);
    const stray = holder === undefined ? strayWith(volume, informers.hosts.list()) : undefined;
    if (holder === undefined && stray === undefined) {
      await writeFinalizers(client, Volume, volume, others(VOLUME_PROTECTION_FINALIZER), signal);
      return done;
    }
    const message =
      stray === undefined
        ? `deletion waits until VirtualMachine "${holder}" has let go of the Volume: remove the disk from it or delete it`
        : `deletion waits: host ${stray.host} runs a domain of VirtualMachine "${stray.virtualMachine}" that no intent speaks of, and that may use the Volume. Shut the domain down there with virsh`;
    const inUse = {
      type: 'InUse',
      status: 'True',
      reason: 'VolumeInUse',
      message,
      observedGeneration: generation,
    } as const;
    const own = (volume.status?.conditions ?? []).filter(({ type }) => type === 'InUse');
    const status = {
      host: volume.status?.host,
      attachedTo: holder ?? volume.status?.attachedTo,
      conditions: setConditions(own, [inUse], clock.now()),
    };
    await writeStatus(client, Volume, volume, status, { fieldManager: FIELD_MANAGERS.volume, signal });
    return stray === undefined ? done : requeueAfter(RETRY_MS, message);
  }
  const neverAssigned = volume.status?.host === undefined;
  if (finalizers.includes(CLEANUP_FINALIZER) && (neverAssigned || volume.status?.phase === 'Deleted')) {
    await writeFinalizers(client, Volume, volume, others(CLEANUP_FINALIZER), signal);
  }
  return done;
}

/** The VirtualMachine that still holds a Volume: by an instance, or by a spec. One that waits for another in its place does not. */
function holderOf(volume: Volume, informers: ControllerDependencies['informers']): string | undefined {
  const key = keyOf(volume);
  const [instance] = informers.instances.byIndex(BY_VOLUME, key);
  const [vm] = informers.virtualMachines
    .byIndex(BY_VOLUME, key)
    .filter((each) => each.metadata.deletionTimestamp === undefined && !isLeftByAnother(volume, each));
  return instance?.metadata.name ?? vm?.metadata.name;
}
