import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type {
  InstanceHostFault,
  InstanceVMFault,
  VirtualMachineInstance,
  VirtualMachineInstanceSpec,
} from '../../api/virtual-machine-instance.ts';
import type { ClusterChoice } from '../cluster/membership.ts';
import type { DatastoreFault } from '../ha/datastore-fault.ts';
import { hostLeftByFault, isToRunElsewhere, vmFaultOf } from '../ha/guest-fault.ts';
import { isTakenBack } from '../ha/recovery.ts';
import type { CpuModelChoice } from '../imc/cpu-model.ts';
import type { Inventory } from '../model/inventory.ts';
import type { Admission } from '../placement/admission.ts';
import { type Placement, place } from '../placement/place.ts';
import type { PlacementRequest } from '../placement/request.ts';
import { type Assignment, instanceSpec, reservedBy, vcpusOf } from './instance-spec.ts';
import { type Missing, type References, type ResolvedDevices, resolveDevices } from './resolve.ts';
import { type TemplatedVolume, templatedVolumes } from './volumes.ts';

/** Everything that a pass over one VirtualMachine looks at. */
export interface VirtualMachineInput {
  /** Absent: deleted, or never there. */
  readonly vm: VirtualMachine | undefined;
  readonly instance: VirtualMachineInstance | undefined;
  /** Its host is proven to run nothing of it, without having said so. */
  readonly isProvenOff: boolean;
  /** What its host has lost of its datastores. Undefined: nothing. */
  readonly datastoreFault: DatastoreFault | undefined;
  readonly references: References;
  readonly cluster: ClusterChoice;
  /** CPU model that the Cluster's VMs are to see. */
  readonly cpuModel: CpuModelChoice;
  /** What is done when its guest fails. Undefined: nothing. */
  readonly vmFault: InstanceVMFault | undefined;
  /** What its host does with it after it has failed. Undefined: it starts it again. */
  readonly hostFault: InstanceHostFault | undefined;
  /** The VM's Cluster. */
  readonly inventory: Inventory;
  /** Keeps room in it for failovers. Undefined: nothing is kept. */
  readonly admission: Admission | undefined;
  /** Host that runs a domain of the VM without an intent, as after etcd was restored from a backup. Undefined: none reports one. */
  readonly strayOn: string | undefined;
  /** Name of the Migration that moves a RuleGroup of the VM. Undefined: there is none. */
  readonly groupMigration: string | undefined;
  /** Host that holds the data of a Volume on a datastore that is not shared, by Volume name. */
  readonly volumeHosts: ReadonlyMap<string, string>;
}

/** The one thing to do next. Each is safe to do again, and the operator may die before and after it. */
export type Step =
  | { readonly step: 'Nothing' }
  /** The VM cannot be placed before these are there. */
  | { readonly step: 'WaitFor'; readonly missing: readonly Missing[] }
  | { readonly step: 'CreateVolumes'; readonly volumes: readonly TemplatedVolume[] }
  | { readonly step: 'Unschedulable'; readonly placement: Placement }
  | {
      readonly step: 'CreateInstance';
      readonly assignment: Omit<Assignment, 'bootID'>;
      readonly devices: ResolvedDevices;
      readonly placement: Placement;
    }
  | {
      readonly step: 'UpdateInstance';
      readonly instance: VirtualMachineInstance;
      readonly spec: VirtualMachineInstanceSpec;
    }
  /** The host has confirmed that the domain is off: the instance may go. */
  | { readonly step: 'ReleaseInstance'; readonly instance: VirtualMachineInstance };

const NOTHING: Step = { step: 'Nothing' };

export function nextStep(input: VirtualMachineInput): Step {
  const { vm, instance, isProvenOff } = input;
  // Whatever has changed meanwhile waits for the migration, which is cancelled where the VM is not to run on.
  if (instance?.spec.migration !== undefined) return NOTHING;
  if (instance !== undefined && isOrphan(vm, instance)) return retire(instance, isProvenOff, graceOf(instance));
  if (vm === undefined || vm.metadata.deletionTimestamp !== undefined) return NOTHING;
  // A deleted instance cannot be kept: it is stopped with grace, and the VM is placed anew.
  if (instance?.metadata.deletionTimestamp !== undefined) return retire(instance, isProvenOff, graceOf(instance));
  if (vm.spec.runStrategy === 'Halted')
    return instance === undefined ? NOTHING : retire(instance, isProvenOff, vm.spec.terminationGracePeriodSeconds);
  if (instance === undefined) return start(vm, input);
  // Ended where its guest has failed, and then placed as a new one is: no grace, since a hung guest does not hear of it.
  if (isToRunElsewhere(instance, input.vmFault)) return retire(instance, isProvenOff, 0);
  return follow(vm, instance, input);
}

/** Whether the VM that the instance was made for is gone (one of the same name may stand in its place). */
export function isOrphan(vm: VirtualMachine | undefined, instance: VirtualMachineInstance): boolean {
  return (
    vm === undefined ||
    vm.metadata.deletionTimestamp !== undefined ||
    vm.metadata.uid !== instance.spec.virtualMachineUID
  );
}

/** Whether the instance's host has confirmed, for this very intent, that no domain of it is left. */
export function isConfirmedOff({ metadata, spec, status }: VirtualMachineInstance): boolean {
  return (
    spec.powerState === 'Off' &&
    status?.phase === 'Off' &&
    status.observedGeneration === metadata.generation &&
    status.observedEpoch === spec.epoch &&
    status.host === spec.host
  );
}

function graceOf({ spec }: VirtualMachineInstance): number {
  return spec.gracePeriodSeconds;
}

function retire(instance: VirtualMachineInstance, isProvenOff: boolean, gracePeriodSeconds: number): Step {
  if (isConfirmedOff(instance) || isProvenOff) return { step: 'ReleaseInstance', instance };
  return update(instance, { ...instance.spec, powerState: 'Off', gracePeriodSeconds });
}

function start(vm: VirtualMachine, input: VirtualMachineInput): Step {
  const absent = templatedVolumes(vm).filter(({ name }) => !input.references.volumes.has(name));
  if (absent.length > 0) return { step: 'CreateVolumes', volumes: absent };
  if (input.groupMigration !== undefined) {
    const message = `Migration "${input.groupMigration}" is moving a RuleGroup of the VM, which starts where the others will be`;
    return { step: 'WaitFor', missing: [{ reason: 'GroupMigrating', message }] };
  }
  const wish = wishOf(vm, input);
  if (!wish.ok) return { step: 'WaitFor', missing: wish.missing };
  const placement = place(wish.request, input.inventory, input.admission);
  if (!placement.ok) return { step: 'Unschedulable', placement };
  // On its own host it is adopted.
  if (input.strayOn !== undefined && input.strayOn !== placement.host) {
    const message = `host ${input.strayOn} runs a domain of this VM that no intent speaks of, so that starting it could run it twice. Find out which copy holds the newer data, then shut the domain down there with virsh`;
    return { step: 'WaitFor', missing: [{ reason: 'StrayDomain', message }] };
  }
  const assignment = {
    host: placement.host,
    epoch: (vm.status?.epoch ?? 0) + 1,
    cpuModel: wish.request.cpuModel,
    vmFault: vmFaultOf(input.vmFault, vm.status?.lastFault?.actedAt),
    hostFault: input.hostFault,
  };
  return { step: 'CreateInstance', assignment, devices: wish.devices, placement };
}

/** What a VM asks of a host, or everything that must be there before it can ask. */
export type Wish =
  | { readonly ok: true; readonly request: PlacementRequest; readonly devices: ResolvedDevices }
  | { readonly ok: false; readonly missing: readonly Missing[] };

export function wishOf(
  vm: VirtualMachine,
  input: Pick<VirtualMachineInput, 'cluster' | 'cpuModel' | 'references' | 'volumeHosts'>,
): Wish {
  const resolution = resolveDevices(vm, input.references);
  const missing = [
    ...(input.cluster.ok ? [] : [{ reason: input.cluster.reason, message: input.cluster.message }]),
    ...(input.cpuModel.ok ? [] : [{ reason: input.cpuModel.reason, message: input.cpuModel.message }]),
    ...(resolution.ok ? [] : resolution.missing),
  ];
  if (!resolution.ok || missing.length > 0) return { ok: false, missing };
  return { ok: true, request: placementRequest(vm, resolution.devices, input), devices: resolution.devices };
}

/** Keeps the intent of a placed VM in line with its spec. What needs a power cycle, the agent reports. */
function follow(vm: VirtualMachine, instance: VirtualMachineInstance, input: VirtualMachineInput): Step {
  const absent = templatedVolumes(vm).filter(({ name }) => !input.references.volumes.has(name));
  if (absent.length > 0) return { step: 'CreateVolumes', volumes: absent };
  const resolution = resolveDevices(vm, input.references);
  const { disks, nics, cloudInit, host, epoch, bootID, cpu, failover } = instance.spec;
  // While something new is missing the VM goes on with the devices that it has.
  const devices = resolution.ok ? resolution.devices : { disks, nics };
  // What was sealed from a Secret must not outlive the spec's naming it: the host would prefer it to plain user-data.
  const sealed = vm.spec.cloudInit?.userDataSecret === undefined ? undefined : cloudInit?.sealedUserData;
  const vmFault = vmFaultOf(input.vmFault, instance.spec.vmFault?.actedAt);
  const assignment = {
    host,
    epoch,
    bootID,
    cpuModel: nextCpuModel(cpu.model, host, input),
    vmFault,
    hostFault: input.hostFault,
  };
  const spec = { ...instanceSpec(vm, devices, assignment, sealed), failover };
  const { datastoreFault } = instance.spec;
  // One that is back before the host has left the VM to another is gone on with there.
  const staysStopped = datastoreFault !== undefined && input.datastoreFault?.moveAtMs !== undefined;
  if (staysStopped) return update(instance, stoppedForDatastore(spec, datastoreFault));
  // A host that failed to start it is to confirm that nothing of it is left, and not to try on.
  return update(instance, isTakenBack(spec) ? { ...spec, powerState: 'Off' } : spec);
}

/** The same intent for a host that has lost a datastore: the domain is ended at once, since its guest could write nothing any more. */
export function stoppedForDatastore(
  spec: VirtualMachineInstanceSpec,
  datastoreFault: NonNullable<VirtualMachineInstanceSpec['datastoreFault']>,
): VirtualMachineInstanceSpec {
  return { ...spec, powerState: 'Off', gracePeriodSeconds: 0, datastoreFault };
}

/** The Cluster's model, which the guest gets at its next power cycle; the old one where its host could not present the new. */
function nextCpuModel(
  before: string | undefined,
  hostName: string,
  { cpuModel, inventory }: VirtualMachineInput,
): string | undefined {
  if (!cpuModel.ok) return before;
  const host = inventory.hosts.find(({ name }) => name === hostName);
  return cpuModel.model === undefined || host?.cpuModels.has(cpuModel.model) ? cpuModel.model : before;
}

function update(instance: VirtualMachineInstance, spec: VirtualMachineInstanceSpec): Step {
  return sameValue(instance.spec, spec) ? NOTHING : { step: 'UpdateInstance', instance, spec };
}

function placementRequest(
  vm: VirtualMachine,
  { disks, nics }: ResolvedDevices,
  { references, volumeHosts, cpuModel }: Pick<VirtualMachineInput, 'references' | 'volumeHosts' | 'cpuModel'>,
): PlacementRequest {
  const leftByFault = hostLeftByFault(vm.status);
  const datastores = disks.flatMap(({ volumeName }) => references.volumes.get(volumeName)?.spec.datastoreName ?? []);
  return {
    virtualMachine: `${vm.metadata.namespace}/${vm.metadata.name}`,
    vcpus: vcpusOf(vm),
    reserved: reservedBy(vm),
    hostSelector: vm.spec.hostSelector,
    cpuModel: cpuModel.ok ? cpuModel.model : undefined,
    cpuFeatures: undefined,
    hostDevices: [],
    datastores: [...new Set(datastores)].toSorted(),
    switches: [...new Set(nics.map(({ virtualSwitchName }) => virtualSwitchName))].toSorted(),
    // The status names a host from the moment that one may run the VM until it has confirmed that it does not.
    onlyHost: vm.status?.host,
    leaves: undefined,
    recentHosts: new Set(leftByFault === undefined ? [] : [leftByFault]),
    failedHosts: new Map(),
    restartPriority: vm.spec.ha.enabled ? vm.spec.ha.restartPriority : undefined,
    isEvacuation: false,
    diskHosts: disks.flatMap(({ volumeName }) => {
      const host = volumeHosts.get(volumeName);
      return host === undefined ? [] : [{ volumeName, host }];
    }),
  };
}

/** Whether two values of JSON are the same; a key that is undefined counts as absent. */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left: Record<string, unknown> = { ...a };
  const right: Record<string, unknown> = { ...b };
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every((key) => sameValue(left[key], right[key]));
}
