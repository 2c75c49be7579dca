import type { VirtualMachineSpec } from '../../api/virtual-machine.ts';
import { movedTogether } from '../migration/together.ts';
import type { Inventory } from '../model/inventory.ts';
import { WorkingInventory } from '../model/working-inventory.ts';
import { type Placement, place } from '../placement/place.ts';
import type { PlacementRequest } from '../placement/request.ts';

/** A VM of which nothing runs any more, and which is to run. */
export interface LostVirtualMachine {
  readonly request: PlacementRequest;
  /** Host that had it. */
  readonly fromHost: string;
  readonly priority: VirtualMachineSpec['ha']['restartPriority'];
}

export interface RestartInput {
  readonly lost: readonly LostVirtualMachine[];
  /** The Cluster, in which lost VMs still count where they were. */
  readonly inventory: Inventory;
  /** VMs that each host is starting already, by host. */
  readonly starting: ReadonlyMap<string, number>;
  readonly maxConcurrentPerHost: number;
}

export interface Restart {
  readonly lost: LostVirtualMachine;
  readonly host: string;
  readonly placement: Placement;
}

export interface RestartPlan {
  /** To be started now, the most urgent first. */
  readonly restarts: readonly Restart[];
  /** They fit, and wait until hosts have started others. */
  readonly waiting: readonly LostVirtualMachine[];
  /** They fit nowhere now. */
  readonly unplaceable: readonly { readonly lost: LostVirtualMachine; readonly placement: Placement }[];
}

const RANK = { Highest: 0, High: 1, Medium: 2, Low: 3, Lowest: 4 } as const satisfies Record<
  LostVirtualMachine['priority'],
  number
>;

/**
 * Gives lost VMs their hosts: by priority, of equal ones the largest first (small ones find room between large ones, not the other
 * way round), then by name. A VM takes no room from a more urgent one, also where that waits for its turn.
 */
export function planRestarts({ lost, inventory, starting, maxConcurrentPerHost }: RestartInput): RestartPlan {
  const working = new WorkingInventory(inventory);
  for (const { request, fromHost } of lost) working.remove(request.virtualMachine, fromHost, request.reserved);
  const byKey = new Map(lost.map((each) => [each.request.virtualMachine, each]));
  const started = new Map(starting);
  const restarts: Restart[] = [];
  const waiting: LostVirtualMachine[] = [];
  const unplaceable: { lost: LostVirtualMachine; placement: Placement }[] = [];
  for (const each of lost.toSorted(byUrgency)) {
    const { request } = each;
    const rest = togetherWith(each, byKey, inventory);
    const placement = placeWith(rest, request, working);
    if (!placement.ok) {
      unplaceable.push({ lost: each, placement });
      continue;
    }
    const isFree = (host: string) => (started.get(host) ?? 0) < maxConcurrentPerHost;
    const others = isFree(placement.host)
      ? placement
      : placeWith(rest, request, { ...view(working), hosts: working.hosts.filter(({ name }) => isFree(name)) });
    const host = others.ok ? others.host : placement.host;
    working.add(request.virtualMachine, host, request.reserved);
    if (!others.ok) {
      waiting.push(each);
      continue;
    }
    started.set(host, (started.get(host) ?? 0) + 1);
    restarts.push({ lost: each, host, placement: others });
  }
  return { restarts, waiting, unplaceable };
}

/** Lost VMs that have to run where this one runs. */
function togetherWith(
  { request: { virtualMachine } }: LostVirtualMachine,
  lost: ReadonlyMap<string, LostVirtualMachine>,
  inventory: Inventory,
): LostVirtualMachine[] {
  return movedTogether(virtualMachine, inventory)
    .filter((key) => key !== virtualMachine)
    .flatMap((key) => lost.get(key) ?? []);
}

/** The best host for a VM; of a VM that others have to follow, the best of those which take the most of them. */
function placeWith(rest: readonly LostVirtualMachine[], request: PlacementRequest, inventory: Inventory): Placement {
  const placement = place(request, inventory);
  if (!placement.ok || rest.length === 0) return placement;
  const ranked = placement.verdicts
    .filter(({ obstacles }) => obstacles.length === 0)
    .map((verdict) => ({ verdict, follow: followersOn(verdict.host, rest, request, inventory) }))
    .toSorted((a, b) => b.follow - a.follow || b.verdict.points - a.verdict.points);
  return { ...placement, host: ranked[0]?.verdict.host ?? placement.host };
}

function followersOn(
  host: string,
  rest: readonly LostVirtualMachine[],
  first: PlacementRequest,
  inventory: Inventory,
): number {
  const tried = new WorkingInventory({
    ...view(inventory),
    hosts: inventory.hosts.filter(({ name }) => name === host),
  });
  tried.add(first.virtualMachine, host, first.reserved);
  let count = 0;
  for (const { request } of rest) {
    if (!place(request, tried).ok) continue;
    tried.add(request.virtualMachine, host, request.reserved);
    count++;
  }
  return count;
}

function view(inventory: Inventory): Omit<Inventory, 'hosts'> {
  return { hostsOf: (key) => inventory.hostsOf(key), groupsOf: (key) => inventory.groupsOf(key) };
}

function byUrgency(a: LostVirtualMachine, b: LostVirtualMachine): number {
  return (
    RANK[a.priority] - RANK[b.priority] ||
    b.request.reserved.memoryBytes - a.request.reserved.memoryBytes ||
    b.request.reserved.cpuCores - a.request.reserved.cpuCores ||
    (a.request.virtualMachine < b.request.virtualMachine ? -1 : 1)
  );
}
