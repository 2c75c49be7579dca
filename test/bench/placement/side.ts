import { inventoryOf } from '../../../src/core/model/inventory.ts';
import { WorkingInventory } from '../../../src/core/model/working-inventory.ts';
import { explainPlacement } from '../../../src/core/placement/explain.ts';
import { place } from '../../../src/core/placement/place.ts';
import { burst, protectedFleet, tolerance } from './burst.ts';
import { fleetGroups, fleetHosts, fullFleet, requestOf } from './fleet.ts';

/** `node side.ts`: placements of a big fleet, alone in a process. Prints one line of JSON. */

const HOSTS = 1_000;
const VMS = 20_000;
const INITIAL = 10_000;
const ROUNDS = 500;

export interface PlacementFigures {
  /** One placement into the full fleet, milliseconds: median and 99 % of the rounds. */
  readonly oneMs: number;
  readonly oneP99Ms: number;
  /** The same with its explanation for the condition. */
  readonly explainedMs: number;
  /** All initial placements, one after the other, seconds. */
  readonly initialS: number;
  /** One placement among others, with room kept for the failure of a host, and how many may fail: 50 hosts, 1,000 VMs; CPU time, milliseconds. */
  readonly keptMs: number;
  readonly toleranceMs: number;
  /** How many of the initial ones found a host. */
  readonly placed: number;
  /** Largest resident memory of the process, MiB. */
  readonly peakMib: number;
}

function times(work: (round: number) => void): number[] {
  const found = Array.from({ length: ROUNDS }, (_, round) => {
    const startMs = performance.now();
    work(round);
    return performance.now() - startMs;
  });
  return found.sort((a, b) => a - b);
}

const at = (sorted: readonly number[], part: number) => sorted[Math.floor(sorted.length * part)] ?? Number.NaN;

const full = fullFleet(HOSTS, VMS);
const one = times((round) => place(requestOf(VMS + round), full));
// Members of groups: every tenth VM is one.
const explained = times((round) => explainPlacement(place({ ...requestOf(round * 10), onlyHost: undefined }, full)));

const large = protectedFleet(50, 1_000);
const kept = burst(large, 1_000, 60);
const tolerances = Array.from({ length: 5 }, () => tolerance(large).ms).sort((a, b) => a - b);

const working = new WorkingInventory(inventoryOf({ hosts: fleetHosts(HOSTS), groups: fleetGroups(VMS) }));
const startMs = performance.now();
let placed = 0;
for (let index = 0; index < INITIAL; index++) {
  const wish = requestOf(index);
  const placement = place(wish, working);
  if (!placement.ok) continue;
  working.add(wish.virtualMachine, placement.host, wish.reserved);
  placed += 1;
}
const initialS = (performance.now() - startMs) / 1000;

const figures: PlacementFigures = {
  oneMs: at(one, 0.5),
  oneP99Ms: at(one, 0.99),
  explainedMs: at(explained, 0.5),
  keptMs: at(kept, 0.5),
  toleranceMs: at(tolerances, 0.5),
  initialS,
  placed,
  peakMib: process.resourceUsage().maxRSS / 1024,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
