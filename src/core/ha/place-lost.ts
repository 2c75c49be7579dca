import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { WorkingInventory } from '../model/working-inventory.ts';
import { type Placement, place } from '../placement/place.ts';
import type { PlacementRequest } from '../placement/request.ts';
import { type VirtualMachineInput, wishOf } from '../virtual-machine/next-step.ts';

/**
 * Where a VM could go of which nothing runs on its host any more, as if it were the only one.
 * Undefined: something that it needs is missing.
 */
export function placeLost(
  vm: VirtualMachine,
  { spec }: VirtualMachineInstance,
  input: Omit<VirtualMachineInput, 'vm'>,
  failedHosts: PlacementRequest['failedHosts'],
): Placement | undefined {
  const wish = wishOf(vm, input);
  if (!wish.ok) return undefined;
  const request = { ...wish.request, onlyHost: undefined, failedHosts };
  const working = new WorkingInventory(input.inventory);
  working.remove(request.virtualMachine, spec.host, request.reserved);
  return place(request, working);
}
