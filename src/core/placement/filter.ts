import type { HostModel } from '../model/host.ts';
import type { Inventory } from '../model/inventory.ts';
import type { Obstacle } from './obstacle.ts';
import type { PlacementRequest } from './request.ts';

/** What a rule says of one host. Undefined: nothing stands in the way. */
export type HostCheck = (host: HostModel) => Obstacle | undefined;

/**
 * One rule that a host must meet; knows nothing of the other rules. What can be worked out for all hosts at once is worked
 * out before the first is asked.
 * @returns undefined when the rule has nothing to ask for this VM; several checks when it has several things to ask.
 */
export type Filter = (request: PlacementRequest, inventory: Inventory) => HostCheck | readonly HostCheck[] | undefined;
