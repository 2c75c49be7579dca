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

/** A VM has 24 disks at most, vda to vdx. */
const SEED_TARGET = 'vdz';

/**
 * The NoCloud seed: cloud-init finds it by its volume label `cidata` on any disk. On the virtio bus, since kernels for
 * clouds (Debian's `linux-image-cloud`) have no driver for a CD-ROM on a SATA controller.
 */
export function seedElement(path: string): XmlElement {
  return element('disk', { type: 'file', device: 'disk' }, [
    element('driver', { name: 'qemu', type: 'raw' }),
    element('source', { file: path }),
    element('target', { dev: SEED_TARGET, bus: 'virtio' }),
    element('readonly'),
    element('serial', {}, 'cidata'),
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
