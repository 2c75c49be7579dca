import type { HostCheck } from './filter.ts';
import type { Obstacle } from './obstacle.ts';
import type { PlacementRequest } from './request.ts';

/**
 * Keeps room in a Cluster for failovers. Whoever starts or moves a VM asks it; a failover does not, since the room is kept for that.
 * It speaks of the inventory that it was made with, and is good for the decisions that are made with that one.
 */
export interface Admission {
  /** Which hosts are kept empty. Undefined: none, or not from this VM. */
  keptEmpty(request: PlacementRequest): HostCheck | undefined;
  /** Whether enough would be left with the VM on a host. Dear beside the rules of placement. Undefined: nothing is asked. */
  check(request: PlacementRequest): HostCheck | undefined;
  /** The same for VMs that go to a host as one. Undefined: they may. */
  checkTogether(requests: readonly PlacementRequest[], host: string): Obstacle | undefined;
}
