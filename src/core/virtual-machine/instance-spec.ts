import { RESTARTED_AT_ANNOTATION } from '../../api/common/names.ts';
import { parseBytes, parseQuantity } from '../../api/common/quantity.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstanceSpec } from '../../api/virtual-machine-instance.ts';
import type { Resources } from '../model/host.ts';
import { memoryOverheadBytes } from '../model/memory-overhead.ts';
import type { ResolvedDevices } from './resolve.ts';

type SealedUserData = NonNullable<NonNullable<VirtualMachineInstanceSpec['cloudInit']>['sealedUserData']>;

/** Which host runs the VM, and as the how-manieth placement. */
export interface Assignment {
  readonly host: string;
  readonly epoch: number;
  /** libvirt's CPU model that the guest sees. Undefined: that of the host. */
  readonly cpuModel: string | undefined;
  /** Boot of the host that may start it without writing so first. Undefined: none. */
  readonly bootID: string | undefined;
  /** What is done when its guest fails. Undefined: nothing. */
  readonly vmFault: VirtualMachineInstanceSpec['vmFault'];
  readonly hostFault: VirtualMachineInstanceSpec['hostFault'];
}

export function vcpusOf(vm: VirtualMachine): number {
  const { sockets, coresPerSocket, threads } = vm.spec.cpu;
  return sockets * coresPerSocket * threads;
}

/** What the VM counts against its host. */
export function reservedBy(vm: VirtualMachine): Resources {
  const memoryBytes = parseBytes(vm.spec.memory.size);
  return {
    cpuCores: parseQuantity(vm.spec.cpu.reservation ?? 0),
    memoryBytes: memoryBytes + memoryOverheadBytes(memoryBytes, vcpusOf(vm)),
  };
}

/** The intent for one host, fully resolved: nothing in it needs to be looked up. */
export function instanceSpec(
  vm: VirtualMachine,
  devices: ResolvedDevices,
  { host, epoch, cpuModel, bootID, vmFault, hostFault }: Assignment,
  sealedUserData: SealedUserData | undefined,
): VirtualMachineInstanceSpec {
  const { spec, metadata } = vm;
  const { sockets, coresPerSocket, threads } = spec.cpu;
  return {
    virtualMachineUID: metadata.uid,
    host,
    epoch,
    ...(bootID !== undefined && { bootID }),
    domainUUID: metadata.uid,
    powerState: spec.paused ? 'Paused' : 'Running',
    restartedAt: metadata.annotations[RESTARTED_AT_ANNOTATION] ?? '',
    restartPolicy: spec.runStrategy === 'RerunOnFailure' ? 'OnFailure' : 'Always',
    gracePeriodSeconds: spec.terminationGracePeriodSeconds,
    machineType: spec.machineType,
    cpu: { sockets, coresPerSocket, threads, ...(cpuModel !== undefined && { model: cpuModel }) },
    memoryBytes: parseBytes(spec.memory.size),
    reserved: reservedBy(vm),
    disks: [...devices.disks],
    nics: [...devices.nics],
    cloudInit: cloudInitOf(vm, sealedUserData),
    ...(spec.watchdog && { watchdog: { model: spec.watchdog.model } }),
    ...(vmFault && { vmFault }),
    ...(hostFault && { hostFault }),
  };
}

function cloudInitOf(
  { metadata, spec }: VirtualMachine,
  sealedUserData: SealedUserData | undefined,
): VirtualMachineInstanceSpec['cloudInit'] {
  if (spec.cloudInit === undefined) return undefined;
  const { userData, networkData } = spec.cloudInit;
  return { instanceID: metadata.uid, hostname: metadata.name, userData, sealedUserData, networkData };
}
