import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { byAge } from '../model/order.ts';

/**
 * The VM that may use a Volume when several name it: the one that is placed with it (also after its spec names the
 * Volume no more), else the oldest that names it, then by name. Two guests that write to one disk destroy its file
 * system.
 *
 * @param placedWith instances that have the Volume as a disk
 * @param namedBy VMs whose spec names the Volume
 */
export function volumeUser(
  placedWith: readonly VirtualMachineInstance[],
  namedBy: readonly VirtualMachine[],
): string | undefined {
  const [first] = (placedWith.length > 0 ? placedWith : namedBy)
    .map(({ metadata }) => ({ name: metadata.name, createdAt: metadata.creationTimestamp }))
    .toSorted(byAge);
  return first?.name;
}
