import { movedTogether } from '../migration/together.ts';
import type { Inventory } from '../model/inventory.ts';
import { WorkingInventory } from '../model/working-inventory.ts';
import { type Placement, place } from '../placement/place.ts';
import type { PlacementRequest } from '../placement/request.ts';
import { fillOrder, followersOn, refit } from './refit.ts';
import { byUrgency, moreUrgent, type ProtectedVirtualMachine } from './urgency.ts';

/** A VM of which nothing runs any more, and which is to run. */
export interface LostVirtualMachine extends ProtectedVirtualMachine {
  /** Host that had it. */
  readonly fromHost: string;
  /** VMs (`namespace/name`) that must be ready before it. Those among the lost ones are as urgent as it is. */
  readonly dependsOn: readonly string[];
  /** Why it is not started yet although there may be room, in words. Absent: nothing is in the way. */
  readonly held?: string | undefined;
}

export interface RestartInput {
  readonly lost: readonly LostVirtualMachine[];
  /** The Cluster, in which lost VMs still count where they were. */
  readonly inventory: Inventory;
  /** VMs that each host is starting already, by host. */
  readonly starting: ReadonlyMap<string, number>;
  readonly maxConcurrentPerHost: number;
  /** Hosts that are kept empty for this: they are filled first. */
  readonly failoverHosts: ReadonlySet<string>;
}

export interface Restart {
  readonly lost: LostVirtualMachine;
  readonly host: string;
  readonly placement: Placement;
}

export interface RestartPlan {
  /** To be started now, the most urgent first. */
  readonly restarts: readonly Restart[];
  /** They fit, and wait until hosts have started others, or until what holds them has passed. */
  readonly waiting: readonly LostVirtualMachine[];
  /** They fit nowhere now. */
  readonly unplaceable: readonly { readonly lost: LostVirtualMachine; readonly placement: Placement }[];
  /** Host of each VM (`namespace/name`) that fits, also of those that wait. */
  readonly placed: ReadonlyMap<string, string>;
}

/**
 * Gives lost VMs their hosts: by urgency, spread over hosts, failover hosts before all others. A VM takes no room from a more
 * urgent one, also where that waits: for its turn, or for one that it depends on. Where VMs would be left over, hosts are filled one after the other instead, as
 * admission control has tried it: what it has kept room for is found.
 */
export function planRestarts(input: RestartInput): RestartPlan {
  const spread = spreadOut(withUrgencyOfDependents(input.lost).toSorted(byUrgency), input);
  if (spread.unplaceable.length === 0) return spread;
  const filled = fillUp(input.lost.toSorted(byUrgency), input);
  return filled.unplaceable.length < spread.unplaceable.length ? filled : spread;
}

/**
 * Which VMs have room elsewhere that are still to be stopped where they are, once all others of a plan are where it puts them. Until they are off they count
 * where they are: nobody is given their place, nor a host on which a rule bears none of them.
 * @param plan of `input`
 * @returns their keys (`namespace/name`)
 */
export function planStops(
  toStop: readonly LostVirtualMachine[],
  input: RestartInput,
  plan: RestartPlan,
): ReadonlySet<string> {
  const after = new WorkingInventory(input.inventory);
  for (const { request, fromHost } of input.lost) {
    const host = plan.placed.get(request.virtualMachine);
    if (host === undefined) continue;
    after.remove(request.virtualMachine, fromHost, request.reserved);
    after.add(request.virtualMachine, host, request.reserved);
  }
  // Those that find no place without them may have to be with them.
  const rest = plan.unplaceable.map(({ lost }) => lost);
  const { placed } = planRestarts({ ...input, lost: [...rest, ...toStop], inventory: after });
  return new Set(toStop.map(({ request }) => request.virtualMachine).filter((key) => placed.has(key)));
}

/** A VM that others wait for is as urgent as the most urgent of them. */
function withUrgencyOfDependents(lost: readonly LostVirtualMachine[]): LostVirtualMachine[] {
  const priorities = new Map(lost.map(({ request, priority }) => [request.virtualMachine, priority]));
  // Along a chain of them it is handed on one link at a time.
  for (let changed = true; changed; ) {
    changed = false;
    for (const { request, dependsOn } of lost) {
      const priority = priorities.get(request.virtualMachine);
      for (const key of dependsOn) {
        const before = priorities.get(key);
        if (priority === undefined || before === undefined || moreUrgent(before, priority) === before) continue;
        priorities.set(key, priority);
        changed = true;
      }
    }
  }
  return lost.map((each) => ({ ...each, priority: priorities.get(each.request.virtualMachine) ?? each.priority }));
}

/** The inventory without the lost VMs. */
function withoutLost({ lost, inventory }: RestartInput): WorkingInventory {
  const working = new WorkingInventory(inventory);
  for (const { request, fromHost } of lost) working.remove(request.virtualMachine, fromHost, request.reserved);
  return working;
}

function spreadOut(lost: readonly LostVirtualMachine[], input: RestartInput): RestartPlan {
  const { inventory, starting, maxConcurrentPerHost, failoverHosts } = input;
  const working = withoutLost(input);
  const byKey = new Map(lost.map((each) => [each.request.virtualMachine, each]));
  const started = new Map(starting);
  const placed = new Map<string, string>();
  const restarts: Restart[] = [];
  const waiting: LostVirtualMachine[] = [];
  const unplaceable: { lost: LostVirtualMachine; placement: Placement }[] = [];
  for (const each of lost) {
    const { request } = each;
    const rest = togetherWith(each, byKey, inventory);
    const placement = placeFirstOn(failoverHosts, rest, request, working);
    if (!placement.ok) {
      unplaceable.push({ lost: each, placement });
      continue;
    }
    if (each.held !== undefined) {
      working.add(request.virtualMachine, placement.host, request.reserved);
      placed.set(request.virtualMachine, placement.host);
      waiting.push(each);
      continue;
    }
    const isFree = (host: string) => (started.get(host) ?? 0) < maxConcurrentPerHost;
    const others = isFree(placement.host)
      ? placement
      : placeFirstOn(failoverHosts, rest, request, only(working, isFree));
    const host = others.ok ? others.host : placement.host;
    working.add(request.virtualMachine, host, request.reserved);
    placed.set(request.virtualMachine, host);
    if (!others.ok) {
      waiting.push(each);
      continue;
    }
    started.set(host, (started.get(host) ?? 0) + 1);
    restarts.push({ lost: each, host, placement: others });
  }
  return { restarts, waiting, unplaceable, placed };
}

/** Those whose host is busy wait for it: elsewhere they would take the room of others. */
function fillUp(lost: readonly LostVirtualMachine[], input: RestartInput): RestartPlan {
  const { inventory, starting, maxConcurrentPerHost, failoverHosts } = input;
  const byKey = new Map(lost.map((each) => [each.request.virtualMachine, each]));
  const after = withoutLost(input);
  const hosts = refit(lost, after, fillOrder(inventory.hosts, failoverHosts), (key) => {
    const each = byKey.get(key);
    return each === undefined ? [] : togetherWith(each, byKey, inventory).map(({ request }) => request);
  });
  const working = withoutLost(input);
  const started = new Map(starting);
  const placed = new Map<string, string>();
  const restarts: Restart[] = [];
  const waiting: LostVirtualMachine[] = [];
  const unplaceable: { lost: LostVirtualMachine; placement: Placement }[] = [];
  for (const each of lost) {
    const { request } = each;
    const host = hosts.get(request.virtualMachine);
    if (host === undefined) {
      unplaceable.push({ lost: each, placement: place(request, working) });
      continue;
    }
    const placement = place(
      request,
      only(working, (name) => name === host),
    );
    working.add(request.virtualMachine, host, request.reserved);
    placed.set(request.virtualMachine, host);
    if (each.held !== undefined || (started.get(host) ?? 0) >= maxConcurrentPerHost) {
      waiting.push(each);
      continue;
    }
    started.set(host, (started.get(host) ?? 0) + 1);
    restarts.push({ lost: each, host, placement });
  }
  return { restarts, waiting, unplaceable, placed };
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
    .map((verdict) => ({
      verdict,
      follow: followersOn(
        verdict.host,
        rest.map((each) => each.request),
        request,
        inventory,
      ),
    }))
    .toSorted((a, b) => b.follow - a.follow || b.verdict.points - a.verdict.points);
  return { ...placement, host: ranked[0]?.verdict.host ?? placement.host };
}

function placeFirstOn(
  hosts: ReadonlySet<string>,
  rest: readonly LostVirtualMachine[],
  request: PlacementRequest,
  inventory: Inventory,
): Placement {
  const first =
    hosts.size === 0
      ? undefined
      : placeWith(
          rest,
          request,
          only(inventory, (name) => hosts.has(name)),
        );
  return first?.ok ? first : placeWith(rest, request, inventory);
}

function only(inventory: Inventory, isMeant: (host: string) => boolean): Inventory {
  return {
    hosts: inventory.hosts.filter(({ name }) => isMeant(name)),
    hostsOf: (key) => inventory.hostsOf(key),
    groupsOf: (key) => inventory.groupsOf(key),
  };
}
