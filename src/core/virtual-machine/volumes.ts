import type { VirtualMachine, VirtualMachineDisk } from '../../api/virtual-machine.ts';
import type { Volume, VolumeSpec } from '../../api/volume.ts';

/** The Volume behind a disk: the one it names, or the one that is made for it. */
export function volumeNameOf(vm: VirtualMachine, disk: VirtualMachineDisk): string {
  return disk.volumeName ?? `${vm.metadata.name}-${disk.name}`;
}

/** Names of the Volumes of all disks, in order. */
export function volumeNamesOf(vm: VirtualMachine): string[] {
  return vm.spec.disks.map((disk) => volumeNameOf(vm, disk));
}

/** A Volume that the VM's templates ask for. */
export interface TemplatedVolume {
  readonly name: string;
  readonly spec: VolumeSpec;
  /** Whether the Volume goes when the VM goes. */
  readonly ownedByVM: boolean;
}

/** The Volumes that are made for the VM, in the order of its disks. */
export function templatedVolumes(vm: VirtualMachine): TemplatedVolume[] {
  return vm.spec.disks.flatMap((disk) => {
    if (disk.volumeTemplate === undefined) return [];
    const { reclaimPolicy, ...spec } = disk.volumeTemplate;
    return [{ name: volumeNameOf(vm, disk), spec, ownedByVM: reclaimPolicy === 'Delete' }];
  });
}

/**
 * Whether a disk of the VM is to have a Volume of this name made for it, and this one was made for another VM: one of the same
 * name that is gone, and with which the Volume goes.
 */
export function isLeftByAnother({ metadata }: Volume, vm: VirtualMachine): boolean {
  const owner = metadata.ownerReferences.find(({ kind }) => kind === 'VirtualMachine');
  if (owner === undefined || owner.uid === vm.metadata.uid) return false;
  return templatedVolumes(vm).some(({ name }) => name === metadata.name);
}
