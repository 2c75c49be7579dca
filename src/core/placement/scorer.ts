import type { HostModel } from '../model/host.ts';
import type { Inventory } from '../model/inventory.ts';
import type { PlacementRequest } from './request.ts';

/** How good a host is in one respect: 0 (worst) to 1, of this host alone, whatever others there are. */
export type HostScore = (host: HostModel) => number;

/** One respect in which hosts that meet every rule are compared. */
export interface Scorer {
  readonly name: string;
  /** What a whole point of it counts beside the others. */
  readonly weight: number;
  /** @returns undefined when it says nothing about this VM. */
  readonly prepare: (request: PlacementRequest, inventory: Inventory) => HostScore | undefined;
  /** The score in words, for people. */
  readonly say: (score: number) => string;
}
