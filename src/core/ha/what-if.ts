import { movedTogether } from '../migration/together.ts';
import { addResources, type HostModel, NO_RESOURCES, type Resources, subtractResources } from '../model/host.ts';
import type { Inventory } from '../model/inventory.ts';
import { nameOf } from '../model/names.ts';
import { byName } from '../model/order.ts';
import { shortList } from '../model/short-list.ts';
import { WorkingInventory } from '../model/working-inventory.ts';
import type { PlacementRequest } from '../placement/request.ts';
import { couldRunElsewhere, fillOrder, refit } from './refit.ts';
import { byUrgency, type ProtectedVirtualMachine } from './urgency.ts';

/** A Cluster, as far as the loss of its hosts is concerned. */
export interface Fleet {
  readonly inventory: Inventory;
  /** VMs of a host (by name) that are to run elsewhere when it dies, the most urgent first. */
  readonly protectedOn: (host: string) => readonly ProtectedVirtualMachine[];
  /** Hosts that are taken for dead now: their VMs are on their way to others, or will be. */
  readonly dead: ReadonlySet<string>;
  /** Hosts that are kept empty for failovers, and filled first. */
  readonly failoverHosts: ReadonlySet<string>;
}

/** What is to be survived: whole hosts, one after the other, and then a part of any other one. */
export interface Losses {
  /** The largest ones first, and as the last of them any. */
  readonly hosts: number;
  /** What hosts are compared by. */
  readonly by: keyof Resources;
  /** Of any next host the most urgent VMs, up to so much. Absent: nothing. */
  readonly part?: Resources;
}

/** Names that a sentence holds. */
const NAMES_SHOWN = 3;

/** The loss that would leave VMs without a host. */
export interface Limit {
  /** Hosts that would be lost, or are, in this order. */
  readonly lost: readonly string[];
  /** VMs (`namespace/name`, sorted) that would find none. Empty: no other host is left at all. */
  readonly virtualMachines: readonly string[];
}

export type Survival =
  | { readonly ok: true; readonly hosts: number }
  /** `hosts`: how many may be lost all the same. */
  | { readonly ok: false; readonly hosts: number; readonly limit: Limit };

/** The Cluster after some losses. */
interface State {
  readonly inventory: Inventory;
  readonly lost: readonly string[];
  readonly protectedOn: Fleet['protectedOn'];
}

/**
 * What the loss of hosts would come to, by taking them away and giving their VMs others, by the rules that a failover goes by. It
 * holds on to what it has worked out, so that the same question about one more VM costs little.
 */
export class WhatIf {
  readonly #fleet: Fleet;
  readonly #losses: Losses;
  readonly #order: readonly string[];
  /** Before each of the losses, the first of which is the next one. */
  readonly #states: State[] = [];
  /** Room that is left on a host in every case that was looked at. */
  readonly #room = new Map<string, Resources>();
  readonly #together = new Map<string, readonly string[]>();
  /** Where the first loss would be one of these hosts. */
  readonly #first = new Map<string, FirstLoss>();
  #before: WhatIf | undefined;
  #survival: Survival | undefined;

  /** @param before the same question about the Cluster a moment ago, under the same rule groups: what holds still is taken from it. */
  constructor(fleet: Fleet, losses: Losses, before?: WhatIf) {
    this.#fleet = fleet;
    this.#losses = losses;
    this.#order = fillOrder(fleet.inventory.hosts, fleet.failoverHosts);
    this.#before = before?.isLike(this) ? before : undefined;
  }

  /** Whether nothing but what is reserved has changed since. */
  isLike(now: WhatIf): boolean {
    const { inventory, dead } = this.#fleet;
    const then = inventory.hosts;
    return (
      dead.size === 0 &&
      now.#fleet.dead.size === 0 &&
      JSON.stringify(this.#losses) === JSON.stringify(now.#losses) &&
      then.length === now.#fleet.inventory.hosts.length &&
      now.#fleet.inventory.hosts.every((host, index) => isSameHost(host, then[index])) &&
      this.#order.every((name, index) => name === now.#order[index])
    );
  }

  get survival(): Survival {
    this.#survival ??= this.#survive();
    // Nor must what was before that one be kept.
    this.#before = undefined;
    return this.#survival;
  }

  /**
   * Whether all losses would still be survived with one more VM on a host.
   * @returns undefined when that cannot be told without looking at all cases anew
   */
  withOneMore(
    vm: ProtectedVirtualMachine | undefined,
    request: PlacementRequest,
    host: HostModel,
  ): Survival | undefined {
    const { survival } = this;
    if (!survival.ok) return survival;
    const isEmpty = host.reserved.memoryBytes === 0 && host.reserved.cpuCores === 0;
    const last = this.#states.at(-1);
    // Rules look at where VMs are, an empty host is filled in another turn, and what comes after a loss hangs on it.
    if (
      isEmpty ||
      last?.lost.includes(host.name) ||
      this.#fleet.inventory.groupsOf(request.virtualMachine).length > 0
    ) {
      return undefined;
    }
    // Hosts are filled one after the other: what was left to the end changes nothing of it.
    const room = this.#room.get(host.name);
    if (room !== undefined && !fits(request.reserved, room)) return undefined;
    if (vm === undefined) return survival;
    for (const [index, state] of this.#states.entries()) {
      const vms = [...state.protectedOn(host.name), vm].toSorted(byUrgency);
      const { left } = this.#lose(state, host.name, this.#concerned(vms, index, state));
      if (left.length > 0) return { ok: false, hosts: index, limit: limitOf(state, host.name, left) };
    }
    return survival;
  }

  #survive(): Survival {
    const { inventory, protectedOn, dead } = this.#fleet;
    let state: State = { inventory, lost: [], protectedOn };
    for (const host of inventory.hosts.filter(({ name }) => dead.has(name))) {
      const { left, next } = this.#lose(state, host.name, protectedOn(host.name));
      if (left.length > 0) return { ok: false, hosts: 0, limit: limitOf(state, host.name, left) };
      state = next;
    }
    const { hosts, part } = this.#losses;
    const losses = hosts + (part === undefined ? 0 : 1);
    for (let index = 0; index < losses; index++) {
      this.#states.push(state);
      const after = this.#loseAny(state, index, index + 1 < losses);
      if (!after.ok) return { ok: false, hosts: index, limit: after.limit };
      state = after.state;
    }
    return { ok: true, hosts };
  }

  /**
   * Looks at the loss of each host.
   * @param isFurther whether there is another loss after this one
   * @returns what is left after the worst
   */
  #loseAny(
    state: State,
    index: number,
    isFurther: boolean,
  ): { readonly ok: true; readonly state: State } | { readonly ok: false; readonly limit: Limit } {
    const { hosts, by } = this.#losses;
    const candidates = candidatesIn(state, by);
    const [worst] = candidates;
    const isLast = index < hosts && candidates.filter(isUsable).length <= 1;
    if (worst === undefined || isLast) {
      const lost = [...state.lost, ...(worst === undefined ? [] : [worst.name])];
      return { ok: false, limit: { lost, virtualMachines: [] } };
    }
    let afterWorst = state;
    for (const { name } of candidates) {
      const isNeeded = name === worst.name && isFurther;
      if (index === 0 && !isNeeded && this.#takeOver(name)) continue;
      const vms = this.#concerned(state.protectedOn(name), index, state);
      const { left, next } = this.#lose(state, name, vms);
      if (left.length > 0) return { ok: false, limit: limitOf(state, name, left) };
      this.#note(next);
      if (index === 0) this.#remember(name, next.inventory.hosts);
      if (isNeeded) afterWorst = next;
    }
    return { ok: true, state: afterWorst };
  }

  #remember(host: string, after: readonly HostModel[]): void {
    const vms = this.#fleet.protectedOn(host);
    const rooms = after.map(({ allocatable, reserved }) => subtractResources(allocatable, reserved));
    this.#first.set(host, { vms, rooms, members: this.#membersOf(vms) });
  }

  /** Where the members of all rule groups of VMs are. */
  #membersOf(vms: readonly ProtectedVirtualMachine[]): string {
    const { inventory } = this.#fleet;
    let words = '';
    for (const { request } of vms) {
      for (const { members } of inventory.groupsOf(request.virtualMachine)) {
        for (const member of members) words += `${inventory.hostsOf(member).join(' ')};`;
      }
    }
    return words;
  }

  /**
   * Whether the loss of a host would come to what it would have come to before: its VMs are the same, those that rules bind them to
   * are where they were, and what others have taken since was left over then. Hosts are filled one after the other: that changes
   * nothing of it.
   */
  #takeOver(name: string): boolean {
    const before = this.#before;
    const known = before === undefined ? undefined : before.#first.get(name);
    if (before === undefined || known === undefined || known.vms !== this.#fleet.protectedOn(name)) return false;
    if (known.members !== this.#membersOf(known.vms)) return false;
    const then = before.#fleet.inventory.hosts;
    const rooms: Resources[] = [];
    for (const [index, host] of this.#fleet.inventory.hosts.entries()) {
      const [reserved, room] = [then[index]?.reserved, known.rooms[index]];
      if (reserved === undefined || room === undefined) return false;
      if (host.name === name || reserved === host.reserved) {
        rooms.push(room);
        continue;
      }
      const more = subtractResources(host.reserved, reserved);
      if (more.cpuCores < 0 || more.memoryBytes < 0 || !fits(more, room)) return false;
      rooms.push(subtractResources(room, more));
    }
    this.#first.set(name, { ...known, rooms });
    for (const [index, host] of this.#fleet.inventory.hosts.entries()) {
      const room = rooms[index];
      if (room !== undefined && host.name !== name) this.#noteRoom(host.name, room);
    }
    return true;
  }

  /** All VMs, or as much of them as is asked for. */
  #concerned(vms: readonly ProtectedVirtualMachine[], index: number, { inventory }: State) {
    const { hosts, part } = this.#losses;
    if (index < hosts || part === undefined) return vms;
    let sum = NO_RESOURCES;
    return vms.filter(({ request }) => {
      const with_ = addResources(sum, request.reserved);
      if (!fits(with_, part)) return false;
      const [from = ''] = inventory.hostsOf(request.virtualMachine);
      if (!couldRunElsewhere(request, from, this.#fleet.inventory)) return false;
      sum = with_;
      return true;
    });
  }

  #lose(state: State, host: string, vms: readonly ProtectedVirtualMachine[]): { left: string[]; next: State } {
    const working = new WorkingInventory(state.inventory);
    for (const { request } of vms) working.remove(request.virtualMachine, host, request.reserved);
    const lost = new Set([...state.lost, host]);
    const order = this.#order.filter((name) => !lost.has(name) && !this.#fleet.dead.has(name));
    const byKey = new Map(vms.map(({ request }) => [request.virtualMachine, request]));
    const found = refit(vms, working, order, (key) => this.#followers(key).flatMap((other) => byKey.get(other) ?? []));
    const left = vms
      .filter(({ request }) => !found.has(request.virtualMachine))
      .filter(({ request }) => couldRunElsewhere(request, host, this.#fleet.inventory))
      .map(({ request }) => request.virtualMachine)
      .toSorted();
    const arrived = Map.groupBy(
      vms.filter(({ request }) => found.has(request.virtualMachine)),
      ({ request }) => found.get(request.virtualMachine) ?? '',
    );
    const protectedOn = (name: string) => {
      const [before, more] = [state.protectedOn(name), arrived.get(name)];
      return more === undefined ? before : [...before, ...more].toSorted(byUrgency);
    };
    return { left, next: { inventory: working, lost: [...lost], protectedOn } };
  }

  #followers(key: string): readonly string[] {
    const known = this.#together.get(key);
    if (known !== undefined) return known;
    const others = movedTogether(key, this.#fleet.inventory).filter((other) => other !== key);
    this.#together.set(key, others);
    return others;
  }

  #note({ inventory, lost }: State): void {
    for (const { name, allocatable, reserved } of inventory.hosts) {
      if (lost.includes(name)) continue;
      this.#noteRoom(name, subtractResources(allocatable, reserved));
    }
  }

  #noteRoom(host: string, room: Resources): void {
    const known = this.#room.get(host);
    this.#room.set(host, known === undefined ? room : least(known, room));
  }
}

/** What the loss of a host would come to. */
interface FirstLoss {
  /** The very list of its VMs. */
  readonly vms: readonly ProtectedVirtualMachine[];
  /** Room that would be left on each host of the inventory, in their order. */
  readonly rooms: readonly Resources[];
  /** Where the members of their rule groups are. */
  readonly members: string;
}

/** Whether two models say the same of a host, but for what is reserved there. */
function isSameHost(a: HostModel, b: HostModel | undefined): boolean {
  if (b === undefined || a === b) return a === b;
  const { reserved: _a, ...one } = a;
  const { reserved: _b, ...other } = b;
  const keys = Object.keys(one) as (keyof typeof one)[];
  return keys.every((key) => one[key] === other[key]);
}

/** Hosts whose loss would matter, the worst first: the largest of those that VMs can use, then what others carry. */
function candidatesIn({ inventory, lost, protectedOn }: State, by: keyof Resources): HostModel[] {
  return inventory.hosts
    .filter((host) => !lost.includes(host.name) && (isUsable(host) || protectedOn(host.name).length > 0))
    .toSorted(
      (a, b) => Number(isUsable(b)) - Number(isUsable(a)) || b.allocatable[by] - a.allocatable[by] || byName(a, b),
    );
}

/** Whether VMs can be started there now. */
export function isUsable({ ready, inMaintenance }: HostModel): boolean {
  return ready.ok && !inMaintenance;
}

function limitOf({ lost }: State, host: string, virtualMachines: readonly string[]): Limit {
  return { lost: [...lost, host], virtualMachines };
}

/** What a VM does not ask for, it fits into. */
function fits(wanted: Resources, room: Resources): boolean {
  return (
    (wanted.cpuCores === 0 || wanted.cpuCores <= room.cpuCores) &&
    (wanted.memoryBytes === 0 || wanted.memoryBytes <= room.memoryBytes)
  );
}

function least(a: Resources, b: Resources): Resources {
  return { cpuCores: Math.min(a.cpuCores, b.cpuCores), memoryBytes: Math.min(a.memoryBytes, b.memoryBytes) };
}

/** What a loss would lead to: `the loss of h2 would leave 2 VMs without a host: a, b`. */
export function limitInWords({ lost, virtualMachines }: Limit): string {
  const what = `the loss of ${shortList(lost, NAMES_SHOWN)}`;
  if (virtualMachines.length === 0) return `${what} would leave no other host that could run VMs`;
  const [count, names] = [virtualMachines.length, shortList(virtualMachines.map(nameOf), NAMES_SHOWN)];
  return `${what} would leave ${count} ${count === 1 ? 'VM' : 'VMs'} without room: ${names}`;
}
