import { createHash } from 'node:crypto';
import {
  API_VERSION,
  CLEANUP_FINALIZER,
  VIRTUAL_MACHINE_LABEL,
  VOLUME_PROTECTION_FINALIZER,
} from '../../api/common/names.ts';
import { VirtualMachine } from '../../api/virtual-machine.ts';
import { VirtualMachineInstance, type VirtualMachineInstanceSpec } from '../../api/virtual-machine-instance.ts';
import { Volume } from '../../api/volume.ts';
import { explainPlacement } from '../../core/placement/explain.ts';
import { instanceSpec } from '../../core/virtual-machine/instance-spec.ts';
import type { Step } from '../../core/virtual-machine/next-step.ts';
import type { TemplatedVolume } from '../../core/virtual-machine/volumes.ts';
import { controllerReference, type KindRef, KubeError, type KubeObject, keyOf } from '../../kube/index.ts';
import { CodedError, type ReconcileContext } from '../../runtime/index.ts';
import { seal } from '../../runtime/sealed.ts';
import type { ControllerDependencies } from '../deps.ts';
import { changedInstance, newInstance, releasedInstance } from './instance.ts';

type StepOf<Name extends Step['step']> = Extract<Step, { readonly step: Name }>;
type Deps = Pick<ControllerDependencies, 'client' | 'events' | 'informers' | 'reservations'>;
type SealedUserData = NonNullable<NonNullable<VirtualMachineInstanceSpec['cloudInit']>['sealedUserData']>;

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const SECRET: KindRef<Secret> = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };

/** Makes the Volumes of the VM's templates. One that exists already was made by a pass that the cache does not show yet. */
export async function createVolumes(
  vm: VirtualMachine,
  { volumes }: StepOf<'CreateVolumes'>,
  { client }: Deps,
  { signal }: ReconcileContext,
): Promise<void> {
  for (const volume of volumes) {
    try {
      await client.create(Volume, newVolume(vm, volume), { signal });
    } catch (error) {
      if (!(error instanceof KubeError && error.isAlreadyExists())) throw error;
    }
  }
}

function newVolume(vm: VirtualMachine, { name, spec, ownedByVM }: TemplatedVolume): KubeObject {
  return {
    apiVersion: API_VERSION,
    kind: Volume.kind,
    metadata: {
      name,
      namespace: vm.metadata.namespace,
      labels: { [VIRTUAL_MACHINE_LABEL]: vm.metadata.name },
      finalizers: [CLEANUP_FINALIZER, VOLUME_PROTECTION_FINALIZER],
      ownerReferences: ownedByVM ? [controllerReference(vm)] : [],
    },
    spec,
  };
}

/**
 * Writes the intent. From here on the host may start the domain. The placement counts from the very moment of its decision:
 * whatever is decided while this waits for something, has to see it.
 */
export async function createInstance(
  vm: VirtualMachine,
  { assignment: chosen, devices, placement }: StepOf<'CreateInstance'>,
  deps: Deps,
  { signal, log }: ReconcileContext,
): Promise<void> {
  const key = keyOf(vm);
  const assignment = { ...chosen, bootID: deps.informers.hosts.get(chosen.host)?.status?.bootID };
  const explanation = explainPlacement(placement);
  deps.reservations.assume(key, instanceSpec(vm, devices, assignment, undefined));
  try {
    await checkEpoch(vm, deps, signal);
    const sealed = await sealUserData(vm, assignment.host, deps, signal);
    const spec = instanceSpec(vm, devices, assignment, sealed);
    // Created, never applied: an instance that the cache does not show yet must not be overwritten.
    await deps.client.create(VirtualMachineInstance, newInstance(vm, spec, explanation), { signal });
  } catch (error) {
    // The cache lags behind: what stands there counts, and holds its Volumes, although it is not shown; until it was read, what was chosen does.
    if (error instanceof KubeError && error.isAlreadyExists()) await assumeWhatIs(vm, deps, signal);
    else deps.reservations.forget(key);
    throw error;
  }
  log.info({ host: assignment.host, epoch: assignment.epoch, explanation }, 'placed');
  deps.events.record({
    regarding: vm,
    type: 'Normal',
    reason: 'Placed',
    action: 'Placing',
    note: `placed on host ${assignment.host} (epoch ${assignment.epoch})\n${explanation}`,
  });
}

/**
 * The epoch that follows the last one is the first that no host has seen. The cache alone is not believed: where somebody has torn an instance away, its domain
 * runs on, and one of the same epoch elsewhere would be started beside it.
 * @throws CodedError while the cache is behind
 */
async function checkEpoch(vm: VirtualMachine, { client }: Deps, signal: AbortSignal): Promise<void> {
  const { metadata, status } = await client.get(VirtualMachine, vm.metadata, { signal });
  if (metadata.uid === vm.metadata.uid && status?.epoch === vm.status?.epoch) return;
  throw new CodedError('ApiConflict', 'what this operator knows of the VM is older than its last placement');
}

async function assumeWhatIs(vm: VirtualMachine, { client, reservations }: Deps, signal: AbortSignal): Promise<void> {
  const { spec, metadata } = await client.get(VirtualMachineInstance, vm.metadata, { signal });
  const key = keyOf(vm);
  // An older placement would be ignored beside a newer one.
  reservations.forget(key);
  reservations.assume(key, spec, metadata.generation);
}

/** Brings the intent in line with the VM. Refused when anybody has changed it since the cache saw it. */
export async function updateInstance(
  vm: VirtualMachine | undefined,
  { instance, spec }: StepOf<'UpdateInstance'>,
  deps: Deps,
  { signal, log }: ReconcileContext,
): Promise<void> {
  const wantsSecret = spec.powerState !== 'Off' && vm?.spec.cloudInit?.userDataSecret !== undefined;
  const cloudInit = spec.cloudInit;
  const sealed =
    wantsSecret && cloudInit !== undefined && cloudInit.sealedUserData === undefined
      ? await sealUserData(vm, spec.host, deps, signal)
      : cloudInit?.sealedUserData;
  const wanted = cloudInit === undefined ? spec : { ...spec, cloudInit: { ...cloudInit, sealedUserData: sealed } };
  await deps.client.update(VirtualMachineInstance, changedInstance(instance, wanted), { signal });
  log.info({ host: spec.host, epoch: spec.epoch, powerState: spec.powerState }, 'intent changed');
}

/**
 * Lets an instance go whose host has confirmed that nothing of it runs. The finalizer goes first: a deletion counts as a
 * change of the intent, which the host would have to confirm again.
 */
export async function releaseInstance(
  { instance }: StepOf<'ReleaseInstance'>,
  { client, reservations }: Deps,
  { signal, log }: ReconcileContext,
): Promise<void> {
  const { uid, deletionTimestamp, finalizers } = instance.metadata;
  if (finalizers.includes(CLEANUP_FINALIZER)) {
    await client.update(VirtualMachineInstance, releasedInstance(instance), { signal });
  }
  if (deletionTimestamp === undefined) await client.delete(VirtualMachineInstance, instance.metadata, { uid, signal });
  reservations.forget(keyOf(instance));
  log.info({ host: instance.spec.host }, 'instance released: its host confirmed that the domain is off');
}

/** The user-data of the VM's Secret, readable by its host only. */
export async function sealUserData(
  vm: VirtualMachine,
  host: string,
  { client, informers }: Pick<Deps, 'client' | 'informers'>,
  signal: AbortSignal,
): Promise<SealedUserData | undefined> {
  const reference = vm.spec.cloudInit?.userDataSecret;
  if (reference === undefined) return undefined;
  const { namespace, name, uid } = vm.metadata;
  const where = `Secret "${reference.name}" (spec.cloudInit.userDataSecret)`;
  const sealingKey = informers.hosts.get(host)?.status?.sealingKey;
  if (sealingKey === undefined) {
    throw new CodedError(
      'HostUnavailable',
      `${where} cannot be sent to host ${host}: its agent has published no sealing key yet`,
    );
  }
  const secret = await readSecret({ namespace, name: reference.name }, where, client, signal);
  const value = secret.data?.[reference.key];
  if (value === undefined)
    throw new CodedError('ReferenceNotFound', `${where} has no key "${reference.key}"; add it or name another key`);
  const keyId = createHash('sha256').update(sealingKey).digest('hex').slice(0, 16);
  return {
    source: `${secret.metadata.uid}/${secret.metadata.resourceVersion}/${keyId}`,
    box: seal(sealingKey, Buffer.from(value, 'base64'), `${namespace}/${name}/${uid}`),
  };
}

async function readSecret(
  ref: { readonly namespace: string | undefined; readonly name: string },
  where: string,
  client: Deps['client'],
  signal: AbortSignal,
): Promise<Secret> {
  try {
    return await client.get(SECRET, ref, { signal });
  } catch (error) {
    if (!(error instanceof KubeError && error.isNotFound())) throw error;
    throw new CodedError('ReferenceNotFound', `${where} does not exist; create it`, { cause: error });
  }
}
