import type { PortGroup } from '../../api/network.ts';
import type { VirtualMachine, VirtualMachineDisk, VirtualMachineNic } from '../../api/virtual-machine.ts';
import type { InstanceDisk, InstanceNic } from '../../api/virtual-machine-instance.ts';
import type { Volume } from '../../api/volume.ts';
import { shortHash } from './hash.ts';
import { macAddressOf } from './mac-address.ts';
import { isLeftByAnother, volumeNameOf } from './volumes.ts';

/** What a VM refers to, by name within its namespace. */
export interface References {
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly portGroups: ReadonlyMap<string, PortGroup>;
  /** Which VM of the namespace may use a Volume, by Volume name; where several name it, one is chosen. */
  readonly volumeUsers: ReadonlyMap<string, string>;
}

/** Something that the VM needs and that is not there yet. */
export interface Missing {
  readonly reason: string;
  readonly message: string;
}

export interface ResolvedDevices {
  readonly disks: readonly InstanceDisk[];
  readonly nics: readonly InstanceNic[];
}

export type Resolution =
  | { readonly ok: true; readonly devices: ResolvedDevices }
  | { readonly ok: false; readonly missing: readonly Missing[] };

/** Turns names into paths and switches, or tells everything that is missing at once. */
export function resolveDevices(vm: VirtualMachine, references: References): Resolution {
  const targets = targetNames(vm.spec.disks);
  const boot = bootOrders(vm);
  const disks = vm.spec.disks.map((disk, index) =>
    resolveDisk(vm, disk, references, targets[index] ?? '', boot.get(disk.name)),
  );
  const nics = vm.spec.nics.map((nic) => resolveNic(vm, nic, references, boot.get(nic.name)));
  const missing = [...disks, ...nics].flatMap((device) => (device.ok ? [] : [device.missing]));
  if (missing.length > 0) return { ok: false, missing };
  return {
    ok: true,
    devices: {
      disks: disks.flatMap((disk) => (disk.ok ? [disk.device] : [])),
      nics: nics.flatMap((nic) => (nic.ok ? [nic.device] : [])),
    },
  };
}

type Resolved<T> = { readonly ok: true; readonly device: T } | { readonly ok: false; readonly missing: Missing };

function resolveDisk(
  vm: VirtualMachine,
  disk: VirtualMachineDisk,
  references: References,
  target: string,
  bootOrder: number | undefined,
): Resolved<InstanceDisk> {
  const volumeName = volumeNameOf(vm, disk);
  const volume = references.volumes.get(volumeName);
  const user = references.volumeUsers.get(volumeName);
  const where = `disk "${disk.name}"`;
  if (volume === undefined)
    return lack('VolumeNotFound', `${where} needs Volume "${volumeName}", which does not exist`);
  if (volume.metadata.deletionTimestamp !== undefined) {
    return lack('VolumeTerminating', `${where} needs Volume "${volumeName}", which is being deleted`);
  }
  if (isLeftByAnother(volume, vm)) {
    const message = `${where} needs Volume "${volumeName}"; that of an earlier VirtualMachine of this name is still there, and goes first`;
    return lack('VolumeTerminating', message);
  }
  if (user !== undefined && user !== vm.metadata.name) {
    return lack('VolumeInUse', `${where} needs Volume "${volumeName}", which belongs to VirtualMachine "${user}"`);
  }
  const { path, format, phase } = volume.status ?? {};
  if (path === undefined || format === undefined || phase === 'Failed') {
    const why = volume.status?.conditions.find(({ type }) => type === 'Ready')?.message ?? '';
    return lack(
      'VolumeNotReady',
      `${where} waits for Volume "${volumeName}" (${phase ?? 'Pending'})${why === '' ? '' : `: ${why}`}`,
    );
  }
  const { name, bus, cache, readOnly } = disk;
  const device = { name, volumeName, path, format, target, bus, cache, readOnly, serial: serialOf(name), bootOrder };
  return { ok: true, device };
}

function resolveNic(
  vm: VirtualMachine,
  nic: VirtualMachineNic,
  references: References,
  bootOrder: number | undefined,
): Resolved<InstanceNic> {
  const portGroup = references.portGroups.get(nic.portGroup);
  if (portGroup === undefined) {
    return lack('PortGroupNotFound', `NIC "${nic.name}" needs PortGroup "${nic.portGroup}", which does not exist`);
  }
  const { virtualSwitchName, vlan } = portGroup.spec;
  const mac = nic.mac ?? macAddressOf(vm.metadata.uid, nic.name);
  return { ok: true, device: { name: nic.name, mac, virtualSwitchName, vlan, model: nic.model, bootOrder } };
}

function lack(reason: string, message: string): { ok: false; missing: Missing } {
  return { ok: false, missing: { reason, message } };
}

/** `vda`, `vdb`, ... on virtio; SCSI and SATA share `sda`, `sdb`, ... as libvirt wants it. */
function targetNames(disks: readonly VirtualMachineDisk[]): string[] {
  const counts = { vd: 0, sd: 0 };
  return disks.map(({ bus }) => {
    const prefix = bus === 'virtio' ? 'vd' : 'sd';
    counts[prefix] += 1;
    return `${prefix}${String.fromCharCode('a'.charCodeAt(0) + counts[prefix] - 1)}`;
  });
}

/** Place of each device in the boot order, from 1. */
function bootOrders(vm: VirtualMachine): Map<string, number> {
  const usual = [...vm.spec.disks.map(({ name }) => name), ...vm.spec.nics.map(({ name }) => name)];
  return new Map((vm.spec.bootOrder ?? usual).map((name, index) => [name, index + 1]));
}

/** virtio-blk shows the guest 20 characters at most (VIRTIO 1.2, 5.2.6.1), so longer names end in a hash. */
function serialOf(diskName: string): string {
  if (diskName.length <= 20) return diskName;
  const hash = shortHash(diskName);
  return `${diskName.slice(0, 11)}-${hash}`;
}
