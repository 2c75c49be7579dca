import type { VirtualMachineSpec } from '../../api/virtual-machine.ts';
import { compareText } from '../model/order.ts';
import type { PlacementRequest } from '../placement/request.ts';

/** A VM that is run elsewhere when its host dies. */
export interface ProtectedVirtualMachine {
  /** What it asks of another host. */
  readonly request: PlacementRequest;
  readonly priority: VirtualMachineSpec['ha']['restartPriority'];
}

const RANK = { Highest: 0, High: 1, Medium: 2, Low: 3, Lowest: 4 } as const satisfies Record<
  ProtectedVirtualMachine['priority'],
  number
>;

/** By priority, of equal ones the largest first (small ones find room between large ones, not the other way round), then by name. */
export function byUrgency(a: ProtectedVirtualMachine, b: ProtectedVirtualMachine): number {
  return (
    RANK[a.priority] - RANK[b.priority] ||
    b.request.reserved.memoryBytes - a.request.reserved.memoryBytes ||
    b.request.reserved.cpuCores - a.request.reserved.cpuCores ||
    compareText(a.request.virtualMachine, b.request.virtualMachine)
  );
}

/** The more urgent one of two priorities. */
export function moreUrgent(
  a: ProtectedVirtualMachine['priority'],
  b: ProtectedVirtualMachine['priority'],
): ProtectedVirtualMachine['priority'] {
  return RANK[a] <= RANK[b] ? a : b;
}
