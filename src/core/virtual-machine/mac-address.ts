import { fnv1a64 } from './hash.ts';

/**
 * The MAC address of a NIC that names none: the same for the life of the VM, whatever becomes of its status.
 * Locally administered, unicast (first octet 0x02 in its two lowest bits, IEEE 802); the other 46 bits come from the
 * uid and the name, so that 100,000 NICs collide with a chance of less than 1 in 10,000.
 */
export function macAddressOf(virtualMachineUID: string, nicName: string): string {
  const bits = fnv1a64(`${virtualMachineUID}/${nicName}`) & 0xffffffffffffn;
  const local = (bits & 0xfcffffffffffn) | 0x020000000000n;
  return (local.toString(16).padStart(12, '0').match(/../g) ?? []).join(':');
}
