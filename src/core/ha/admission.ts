import type { AdmissionControlSpec, Cluster } from '../../api/cluster.ts';
import { formatCores } from '../../api/common/quantity.ts';
import { addResources, type HostModel, NO_RESOURCES, type Resources } from '../model/host.ts';
import { shortList } from '../model/short-list.ts';
import { WorkingInventory } from '../model/working-inventory.ts';
import type { Admission } from '../placement/admission.ts';
import { mebibytes } from '../placement/explain.ts';
import { type Obstacle, obstacle } from '../placement/obstacle.ts';
import type { Placement } from '../placement/place.ts';
import type { PlacementRequest } from '../placement/request.ts';
import type { PolicyChoice } from './policy.ts';
import { byUrgency, type ProtectedVirtualMachine } from './urgency.ts';
import { type Fleet, isUsable, type Limit, type Losses, limitInWords, WhatIf } from './what-if.ts';

/** VMs that a sentence names. */
const NAMES_SHOWN = 3;
/** Capacities are sums of fractions. */
const ROUNDING = 1e-6;

/** What a Cluster keeps for failovers. `Disabled`: nothing. */
export type Reserve =
  | { readonly type: 'Disabled' }
  | { readonly type: 'HostFailures'; readonly count: number }
  | { readonly type: 'Percentage'; readonly cpu: number; readonly memory: number }
  | { readonly type: 'FailoverHosts'; readonly hosts: ReadonlySet<string>; readonly evacuate: boolean };

/**
 * The reserve in effect: nothing is kept where nobody would use it. A policy that cannot be found may be there again in a moment, and
 * what was given away meanwhile would not.
 */
export function reserveOf(cluster: Pick<Cluster, 'spec'> | undefined, choice: PolicyChoice): Reserve {
  if (cluster === undefined || !cluster.spec.ha.enabled) return { type: 'Disabled' };
  const restarts = !choice.ok || (choice.enabled && choice.policy.hostFault.action === 'Restart');
  return restarts ? read(cluster.spec.ha.admissionControl) : { type: 'Disabled' };
}

function read({ type, hostFailures, percentage, failoverHosts }: AdmissionControlSpec): Reserve {
  switch (type) {
    case 'Disabled':
      return { type };
    case 'HostFailures':
      return { type, count: hostFailures?.count ?? 1 };
    case 'Percentage':
      return { type, cpu: percentage?.cpu ?? 0, memory: percentage?.memory ?? 0 };
    case 'FailoverHosts':
      return { type, hosts: new Set(failoverHosts?.hosts), evacuate: failoverHosts?.evacuate ?? false };
  }
}

/** Hosts (by name) that a reserve keeps empty. */
export function failoverHostsOf(reserve: Reserve): ReadonlySet<string> {
  return reserve.type === 'FailoverHosts' ? reserve.hosts : NO_HOSTS;
}

const NO_HOSTS: ReadonlySet<string> = new Set();

/**
 * A question about losses, of one resource or of both: that memory is enough says nothing of cores, of which another part may be
 * kept.
 */
interface Question {
  readonly losses: Losses;
  readonly look: (request: PlacementRequest) => PlacementRequest;
}

const AS_IT_IS = (request: PlacementRequest) => request;
const MEMORY_ALONE = (request: PlacementRequest) => ({
  ...request,
  reserved: { cpuCores: 0, memoryBytes: request.reserved.memoryBytes },
});
const CORES_ALONE = (request: PlacementRequest) => ({
  ...request,
  reserved: { cpuCores: request.reserved.cpuCores, memoryBytes: 0 },
});

function questionsOf(reserve: Reserve, fleet: Fleet): Question[] {
  switch (reserve.type) {
    case 'HostFailures':
      return [{ losses: { hosts: reserve.count, by: 'memoryBytes' }, look: AS_IT_IS }];
    case 'Percentage':
      return [
        ...(reserve.memory > 0 ? [{ losses: partOf(fleet, 'memoryBytes', reserve.memory), look: MEMORY_ALONE }] : []),
        ...(reserve.cpu > 0 ? [{ losses: partOf(fleet, 'cpuCores', reserve.cpu), look: CORES_ALONE }] : []),
      ];
    case 'Disabled':
    case 'FailoverHosts':
      return [];
  }
}

/** Whole hosts, the largest first, while they are no more than that part of all; and the rest as a part of a host. */
function partOf({ inventory }: Fleet, resource: keyof Resources, percent: number): Losses {
  const sizes = inventory.hosts.filter(isUsable).map(({ allocatable }) => allocatable[resource]);
  let left = (sizes.reduce((sum, size) => sum + size, 0) * percent) / 100;
  let hosts = 0;
  for (const size of sizes.toSorted((a, b) => b - a)) {
    if (size > left + ROUNDING) break;
    left -= size;
    hosts++;
  }
  return left <= ROUNDING
    ? { hosts, by: resource }
    : { hosts, by: resource, part: { ...NO_RESOURCES, [resource]: left } };
}

/** A move, or a start: the VM leaves `request.leaves`, if that is given, and is on the host. */
interface Change {
  readonly request: PlacementRequest;
  readonly host: string;
}

function after(fleet: Fleet, changes: readonly Change[]): Fleet {
  const working = new WorkingInventory(fleet.inventory);
  const gone = new Set<string>();
  const come: (ProtectedVirtualMachine & { readonly host: string })[] = [];
  for (const { request, host } of changes) {
    const { virtualMachine, reserved, leaves, restartPriority: priority } = request;
    if (leaves !== undefined) working.remove(virtualMachine, leaves, reserved);
    working.add(virtualMachine, host, reserved);
    gone.add(virtualMachine);
    if (priority !== undefined) come.push({ request: { ...request, leaves: undefined }, priority, host });
  }
  const protectedOn = (name: string) => {
    const stay = fleet.protectedOn(name).filter(({ request }) => !gone.has(request.virtualMachine));
    const more = come.filter(({ host }) => host === name);
    return more.length === 0 ? stay : [...stay, ...more].toSorted(byUrgency);
  };
  return { ...fleet, inventory: working, protectedOn };
}

function lookedAt(fleet: Fleet, look: Question['look']): Fleet {
  if (look === AS_IT_IS) return fleet;
  const known = SEEN.get(look) ?? new WeakMap<VMs, VMs>();
  SEEN.set(look, known);
  const protectedOn = (host: string) => {
    const vms = fleet.protectedOn(host);
    const seen = known.get(vms) ?? vms.map((vm) => ({ ...vm, request: look(vm.request) }));
    known.set(vms, seen);
    return seen;
  };
  return { ...fleet, protectedOn };
}

type VMs = readonly ProtectedVirtualMachine[];

/** The same list of VMs, the same list of what is looked at of them. */
const SEEN = new Map<Question['look'], WeakMap<VMs, VMs>>();

interface Facts {
  readonly reserve: Reserve;
  readonly limit: Limit;
  /** VMs that are to be placed. */
  readonly virtualMachines: readonly string[];
  readonly figures: ReserveFigures | undefined;
  /** It is so already without them. */
  readonly already: boolean;
}

/** Admission control over a Cluster as it is now. What is worked out for one VM helps with the next one. */
export class FailoverReserve implements Admission {
  readonly #reserve: Reserve;
  readonly #fleet: Fleet;
  readonly #questions: readonly { readonly losses: Losses; readonly look: Question['look']; readonly now: WhatIf }[];

  /** @param before the same reserve a moment ago, under the same rule groups: what holds still is taken from it. */
  constructor(reserve: Reserve, fleet: Fleet, before?: FailoverReserve) {
    this.#reserve = reserve;
    this.#fleet = fleet;
    const questions = before === undefined ? [] : before.#questions;
    this.#questions = questionsOf(reserve, fleet).map(({ losses, look }) => ({
      losses,
      look,
      now: new WhatIf(lookedAt(fleet, look), losses, questions.find((question) => question.look === look)?.now),
    }));
  }

  /** The loss that would not be survived already. Undefined: all is well. */
  get limit(): Limit | undefined {
    for (const { now } of this.#questions) if (!now.survival.ok) return now.survival.limit;
    return undefined;
  }

  keptEmpty({ onlyHost }: PlacementRequest): ((host: HostModel) => Obstacle | undefined) | undefined {
    const hosts = failoverHostsOf(this.#reserve);
    return hosts.size === 0 ? undefined : ({ name }) => (hosts.has(name) && name !== onlyHost ? KEPT_EMPTY : undefined);
  }

  /** A VM of which a host may run a copy goes back there all the same. */
  check(request: PlacementRequest): ((host: HostModel) => Obstacle | undefined) | undefined {
    if (request.onlyHost !== undefined || this.#questions.length === 0) return undefined;
    return (host) => this.#judge([{ request, host: host.name }], host);
  }

  checkTogether(requests: readonly PlacementRequest[], host: string): Obstacle | undefined {
    if (failoverHostsOf(this.#reserve).has(host)) return KEPT_EMPTY;
    return this.#judge(requests.map((request) => ({ request, host })));
  }

  /** @param host of the one change that there is */
  #judge(changes: readonly Change[], host?: HostModel): Obstacle | undefined {
    const virtualMachines = changes.map(({ request }) => request.virtualMachine);
    const figures = reserveFigures(this.#reserve, this.#fleet);
    const facts = { reserve: this.#reserve, virtualMachines, figures };
    for (const { losses, look, now } of this.#questions) {
      const before = now.survival;
      const [first] = changes;
      // A VM that runs already takes no more by running elsewhere: it may go as long as that makes nothing worse.
      const isMoved = changes.every(({ request }) => request.leaves !== undefined && !request.isEvacuation);
      if (!before.ok && isMoved && (before.hosts === 0 || losses.part !== undefined)) continue;
      if (!before.ok && !changes.some(({ request }) => request.leaves !== undefined)) {
        return refusal({ ...facts, limit: before.limit, already: true });
      }
      const quick =
        host !== undefined && first !== undefined && first.request.leaves === undefined
          ? now.withOneMore(...oneMore(look(first.request)), host)
          : undefined;
      const asked = before.ok || !isMoved ? losses : { hosts: before.hosts, by: losses.by };
      const then = quick ?? new WhatIf(lookedAt(after(this.#fleet, changes), look), asked).survival;
      if (!then.ok) return refusal({ ...facts, limit: then.limit, already: false });
    }
    return undefined;
  }
}

function oneMore(request: PlacementRequest): [ProtectedVirtualMachine | undefined, PlacementRequest] {
  const { restartPriority: priority } = request;
  return [priority === undefined ? undefined : { request, priority }, request];
}

function refusal(facts: Facts): Obstacle {
  return obstacle('FailoverReserve', facts, say);
}

const KEPT_EMPTY = obstacle(
  'FailoverHost',
  {},
  () => 'it is kept empty for failovers (spec.ha.admissionControl.failoverHosts of the Cluster)',
);

const say = ({ reserve, limit, already }: Facts) =>
  `the Cluster keeps room for ${reserveInWords(reserve)}, and ${already ? 'already without the VM' : 'with the VM here'} ${limitInWords(limit)} (spec.ha.admissionControl of the Cluster)`;

/**
 * What a placement says that fails for nothing but the reserve: there are hosts with room for the VM, which is kept. Undefined: it
 * fails for something else, too.
 */
export function heldForFailover({ verdicts }: Placement): string | undefined {
  const isKept = ({ reason }: Obstacle) => reason === 'FailoverReserve' || reason === 'FailoverHost';
  const held = verdicts.filter(({ obstacles }) => obstacles.length > 0 && obstacles.every(isKept));
  if (held.length === 0) return undefined;
  const told = held.flatMap(({ obstacles }) => obstacles).find(({ reason }) => reason === 'FailoverReserve');
  if (told === undefined)
    return `room is left on hosts that are kept empty for failovers: ${shortList(held.map(({ host }) => host))}`;
  const { reserve, figures } = told.facts as Facts;
  return `the VM would take room that is kept for ${reserveInWords(reserve)}${figures === undefined ? '' : ` (${figuresInWords(figures)})`}`;
}

/** What is kept, for sentences: `the failure of 1 host`. */
export function reserveInWords(reserve: Reserve): string {
  switch (reserve.type) {
    case 'HostFailures':
      return `the failure of ${reserve.count} ${reserve.count === 1 ? 'host' : 'hosts'}`;
    case 'Percentage':
      return `the failure of ${reserve.memory}% of its memory and ${reserve.cpu}% of its cores`;
    case 'FailoverHosts':
      return `failovers on ${shortList([...reserve.hosts].toSorted(), NAMES_SHOWN)}`;
    case 'Disabled':
      return 'nothing';
  }
}

/** What of a Cluster is kept, and what is free, in figures for people. */
export interface ReserveFigures {
  readonly kept: Resources;
  readonly free: Resources;
}

/** Sums over usable hosts. Undefined: nothing is kept. */
export function reserveFigures(reserve: Reserve, { inventory }: Fleet): ReserveFigures | undefined {
  if (reserve.type === 'Disabled') return undefined;
  const usable = inventory.hosts.filter(isUsable);
  const total = usable.map(({ allocatable }) => allocatable).reduce(addResources, NO_RESOURCES);
  const taken = usable.map(({ reserved }) => reserved).reduce(addResources, NO_RESOURCES);
  const free = {
    cpuCores: Math.max(0, total.cpuCores - taken.cpuCores),
    memoryBytes: Math.max(0, total.memoryBytes - taken.memoryBytes),
  };
  return { kept: kept(reserve, usable, total), free };
}

function kept(
  reserve: Exclude<Reserve, { type: 'Disabled' }>,
  usable: readonly HostModel[],
  total: Resources,
): Resources {
  switch (reserve.type) {
    case 'HostFailures': {
      const largest = usable.toSorted((a, b) => b.allocatable.memoryBytes - a.allocatable.memoryBytes);
      return sumOf(largest.slice(0, reserve.count));
    }
    case 'Percentage':
      return {
        cpuCores: (total.cpuCores * reserve.cpu) / 100,
        memoryBytes: Math.ceil((total.memoryBytes * reserve.memory) / 100),
      };
    case 'FailoverHosts':
      return sumOf(usable.filter(({ name }) => reserve.hosts.has(name)));
  }
}

function sumOf(hosts: readonly HostModel[]): Resources {
  return hosts.map(({ allocatable }) => allocatable).reduce(addResources, NO_RESOURCES);
}

/** The figures in words. */
export function figuresInWords({ kept: reserved, free }: ReserveFigures): string {
  return `${words(reserved)} are kept, ${words(free)} are free`;
}

function words({ cpuCores, memoryBytes }: Resources): string {
  return `${formatCores(cpuCores)} cores and ${mebibytes(memoryBytes)}`;
}
