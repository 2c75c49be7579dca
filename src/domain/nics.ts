import type { InstanceNic } from '../api/virtual-machine-instance.ts';
import { bootElement } from './disks.ts';
import { element, type XmlElement } from './xml/element.ts';

/** What a NIC is plugged into on this host. */
export interface NicPort {
  /** Linux bridge of the VirtualSwitch (and VLAN). */
  readonly bridge: string;
  /** Largest packet, in bytes; the guest is told. */
  readonly mtuBytes: number;
}

export function nicElement(nic: InstanceNic, port: NicPort): XmlElement {
  return element('interface', { type: 'bridge' }, [
    element('mac', { address: nic.mac }),
    element('source', { bridge: port.bridge }),
    element('model', { type: nic.model }),
    element('mtu', { size: port.mtuBytes }),
    bootElement(nic.bootOrder),
  ]);
}
