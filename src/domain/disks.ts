import type { InstanceDisk } from '../api/virtual-machine-instance.ts';
import { element, type XmlElement } from './xml/element.ts';

/** A disk of the VM, backed by a file. */
export function diskElement(disk: InstanceDisk): XmlElement {
  return element('disk', { type: 'file', device: 'disk' }, [
    element('driver', {
      name: 'qemu',
      type: disk.format,
      cache: disk.cache,
      // Linux AIO needs O_DIRECT, which only these two cache modes use; otherwise it would block QEMU's main loop.
      io: disk.cache === 'none' || disk.cache === 'directsync' ? 'native' : 'threads',
      // What the guest trims is given back to the datastore.
      discard: 'unmap',
      // A full or unreachable datastore stops the guest instead of failing its writes: nothing is lost, and it goes on
      // where it stopped once the datastore is back.
      error_policy: 'stop',
      rerror_policy: 'stop',
    }),
    element('source', { file: disk.path }),
    element('target', { dev: disk.target, bus: disk.bus }),
    disk.readOnly ? element('readonly') : undefined,
    element('serial', {}, disk.serial),
    bootElement(disk.bootOrder),
  ]);
}

/** The NoCloud seed, as a CD-ROM: cloud-init finds it by its volume label `cidata`. */
export function seedElement(path: string, disks: readonly InstanceDisk[]): XmlElement {
  return element('disk', { type: 'file', device: 'cdrom' }, [
    element('driver', { name: 'qemu', type: 'raw' }),
    element('source', { file: path }),
    element('target', { dev: freeTarget(disks), bus: 'sata' }),
    element('readonly'),
  ]);
}

/** The controller of the scsi disks; libvirt's default model is one that no current guest has a driver for. */
export function scsiControllerElement(disks: readonly InstanceDisk[]): XmlElement | undefined {
  const needed = disks.some((disk) => disk.bus === 'scsi');
  return needed ? element('controller', { type: 'scsi', index: 0, model: 'virtio-scsi' }) : undefined;
}

export function bootElement(order: number | undefined): XmlElement | undefined {
  return order === undefined ? undefined : element('boot', { order });
}

/** The first of sda..sdz that no disk has: names are one space over the scsi and sata buses. At most 24 are taken. */
function freeTarget(disks: readonly InstanceDisk[]): string {
  const taken = new Set(disks.map((disk) => disk.target));
  const names = Array.from('abcdefghijklmnopqrstuvwxyz', (letter) => `sd${letter}`);
  const free = names.find((name) => !taken.has(name));
  if (free === undefined) throw new RangeError('every disk name from sda to sdz is taken: none is left for cloud-init');
  return free;
}
