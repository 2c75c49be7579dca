import { movedTogether, whileMovedTogether } from '../migration/together.ts';
import type { HostModel } from '../model/host.ts';
import type { Inventory } from '../model/inventory.ts';
import { byName } from '../model/order.ts';
import { WorkingInventory } from '../model/working-inventory.ts';
import type { Obstacle } from '../placement/obstacle.ts';
import { firstFit, lastingObstacles } from '../placement/place.ts';
import type { PlacementRequest } from '../placement/request.ts';
import { ruleChecks } from '../placement/rules.ts';
import type { ProtectedVirtualMachine } from './urgency.ts';

/**
 * The order in which hosts are filled: failover hosts, then hosts that run something, then empty ones, each by name. Each VM goes
 * to the first host that takes it. So what has found room once finds it again when a host is added, or less is to be placed after
 * it, which spreading VMs over hosts cannot promise.
 */
export function fillOrder(hosts: readonly HostModel[], failoverHosts: ReadonlySet<string>): string[] {
  const rank = ({ name, reserved }: HostModel) => {
    if (failoverHosts.has(name)) return 0;
    return reserved.memoryBytes > 0 || reserved.cpuCores > 0 ? 1 : 2;
  };
  return hosts.toSorted((a, b) => rank(a) - rank(b) || byName(a, b)).map(({ name }) => name);
}

/**
 * Puts VMs, which are nowhere any more, on hosts, by all rules of placement, in the order in which they are given.
 * @param together VMs among them that have to run where this one runs
 * @returns the host of each that has found one
 */
export function refit(
  vms: readonly ProtectedVirtualMachine[],
  working: WorkingInventory,
  order: readonly string[],
  together: (virtualMachine: string) => readonly PlacementRequest[],
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { request } of vms) {
    const rest = together(request.virtualMachine).filter(({ virtualMachine }) => !found.has(virtualMachine));
    const host = hostFor(request, rest, working, order);
    if (host === undefined) continue;
    working.add(request.virtualMachine, host, request.reserved);
    found.set(request.virtualMachine, host);
  }
  return found;
}

/** The first host that takes the VM; of a VM that others have to follow, the first of those which take the most of them. */
function hostFor(
  request: PlacementRequest,
  rest: readonly PlacementRequest[],
  working: WorkingInventory,
  order: readonly string[],
): string | undefined {
  if (rest.length === 0) return firstFit(request, working, withRoom(request, working, order))?.name;
  let best: { readonly host: string; readonly follow: number } | undefined;
  for (const host of order) {
    if (firstFit(request, working, withRoom(request, working, [host])) === undefined) continue;
    const follow = followersOn(host, rest, request, working);
    if (follow === rest.length) return host;
    if (best === undefined || follow > best.follow) best = { host, follow };
  }
  return best?.host;
}

/** How many VMs a host takes besides the first one, which they have to follow. */
export function followersOn(
  host: string,
  rest: readonly PlacementRequest[],
  first: PlacementRequest,
  inventory: Inventory,
): number {
  const tried = new WorkingInventory({
    hosts: inventory.hosts.filter(({ name }) => name === host),
    hostsOf: (key) => inventory.hostsOf(key),
    groupsOf: (key) => inventory.groupsOf(key),
  });
  tried.add(first.virtualMachine, host, first.reserved);
  let count = 0;
  for (const request of rest) {
    if (firstFit(request, tried, tried.hosts) === undefined) continue;
    tried.add(request.virtualMachine, host, request.reserved);
    count++;
  }
  return count;
}

/** Most hosts that do not take a VM are full: to see it first spares the other rules. */
function* withRoom(
  { reserved: { memoryBytes } }: PlacementRequest,
  working: WorkingInventory,
  order: readonly string[],
): Generator<HostModel> {
  for (const name of order) {
    const host = working.host(name);
    if (host === undefined) continue;
    if (memoryBytes <= Math.max(0, host.allocatable.memoryBytes - host.reserved.memoryBytes)) yield host;
  }
}

/**
 * Whether another host could ever run a VM if its own died, by what hosts are and by the rules in effect, whatever room there is.
 * For VMs of which that is not so no room need be kept.
 */
export function couldRunElsewhere(request: PlacementRequest, from: string, inventory: Inventory): boolean {
  const obstacles = obstaclesElsewhere(request, inventory);
  return inventory.hosts.some((host) => host.name !== from && obstacles(host).length === 0);
}

/** What keeps each other host from ever running it, by the same. */
export function obstaclesElsewhere(
  request: PlacementRequest,
  inventory: Inventory,
): (host: HostModel) => readonly Obstacle[] {
  const { virtualMachine } = request;
  const alone = whileMovedTogether(inventory, new Set(movedTogether(virtualMachine, inventory)));
  const rules = ruleChecks(virtualMachine, alone, ({ isRequired }) => isRequired);
  const lasting = lastingObstacles(request, inventory);
  return (host) => [...lasting(host), ...rules.flatMap((check) => check(host.name) ?? [])];
}
