import type { HostModel } from '../model/host.ts';
import type { Inventory } from '../model/inventory.ts';
import type { Admission } from './admission.ts';
import type { Filter, HostCheck } from './filter.ts';
import { cpu } from './filters/cpu.ts';
import { cpuModel } from './filters/cpu-model.ts';
import { datastoreReach } from './filters/datastore-reach.ts';
import { diskHost } from './filters/disk-host.ts';
import { failedStart } from './filters/failed-start.ts';
import { hostDevices } from './filters/host-devices.ts';
import { hostReady } from './filters/host-ready.ts';
import { hostSelector } from './filters/host-selector.ts';
import { lastHost } from './filters/last-host.ts';
import { leaves } from './filters/leaves.ts';
import { maintenance } from './filters/maintenance.ts';
import { memory } from './filters/memory.ts';
import { ruleGroups } from './filters/rule-groups.ts';
import { switchReach } from './filters/switch-reach.ts';
import { vcpus } from './filters/vcpus.ts';
import type { Obstacle } from './obstacle.ts';
import type { PlacementRequest } from './request.ts';
import type { HostScore, Scorer } from './scorer.ts';
import { freeCPU } from './scorers/free-cpu.ts';
import { freeMemory } from './scorers/free-memory.ts';
import { numaRoom } from './scorers/numa-room.ts';
import { preferredRules } from './scorers/preferred-rules.ts';
import { recentHosts } from './scorers/recent-hosts.ts';

/** Every rule that a host must meet. All of them are asked, so that an explanation names every obstacle at once. */
const FILTERS: readonly Filter[] = [
  lastHost,
  leaves,
  failedStart,
  hostReady,
  maintenance,
  hostSelector,
  ruleGroups,
  vcpus,
  cpu,
  memory,
  cpuModel,
  hostDevices,
  datastoreReach,
  diskHost,
  switchReach,
];

/** Those of them that say what a host is and has, and not how full it is or what is done with it at the moment. */
const LASTING_FILTERS: readonly Filter[] = [
  hostSelector,
  vcpus,
  cpuModel,
  hostDevices,
  datastoreReach,
  diskHost,
  switchReach,
];

/** What the hosts that meet every rule are compared by; the sum of points counts. */
const SCORERS: readonly Scorer[] = [preferredRules, recentHosts, freeMemory, freeCPU, numaRoom];

/** What became of one host in a placement. */
export class HostVerdict {
  readonly host: string;
  /** Empty when the VM fits. */
  readonly obstacles: readonly Obstacle[];
  /** Sum of the scores, each times its scorer's weight; 0 when the VM does not fit. */
  readonly points: number;
  readonly #model: HostModel;
  readonly #scores: readonly HostScore[];

  constructor(model: HostModel, obstacles: readonly Obstacle[], points: number, scores: readonly HostScore[]) {
    this.host = model.name;
    this.obstacles = obstacles;
    this.points = points;
    this.#model = model;
    this.#scores = scores;
  }

  /** What each of the placement's scorers gives it, 0 to 1, in their order. Empty when the VM does not fit. */
  get scores(): readonly number[] {
    return this.#scores.map((score) => score(this.#model));
  }
}

/** Where a VM goes, and what speaks for and against every host, by name. */
export type Placement = {
  /** Those that had something to say about the VM. */
  readonly scorers: readonly Scorer[];
  readonly verdicts: readonly HostVerdict[];
} & ({ readonly ok: true; readonly host: string } | { readonly ok: false });

const NO_OBSTACLES: readonly Obstacle[] = [];
const NO_SCORES: readonly HostScore[] = [];

/**
 * Chooses the host for a VM: of those that meet every rule the one with the most points, then by name.
 * @param admission is asked last, of the best host first, until one may be taken: hosts behind that one have not been asked.
 * Undefined: nothing is kept free, as in a failover, which the rest is kept for.
 */
export function place(request: PlacementRequest, inventory: Inventory, admission?: Admission): Placement {
  const checks = checksOf(request, inventory);
  const kept = admission?.keptEmpty(request);
  if (kept !== undefined) checks.push(kept);
  const scorers: Scorer[] = [];
  const scores: HostScore[] = [];
  for (const scorer of SCORERS) {
    const score = scorer.prepare(request, inventory);
    if (score === undefined) continue;
    scorers.push(scorer);
    scores.push(score);
  }
  const verdicts = inventory.hosts.map((host) => judge(host, checks, scorers, scores));
  const admits = admission?.check(request);
  for (;;) {
    const at = bestOf(verdicts);
    const best = at === undefined ? undefined : verdicts[at];
    const host = at === undefined ? undefined : inventory.hosts[at];
    if (at === undefined || best === undefined || host === undefined) return { ok: false, scorers, verdicts };
    const refusal = admits?.(host);
    if (refusal === undefined) return { ok: true, host: best.host, scorers, verdicts };
    verdicts[at] = new HostVerdict(host, [refusal], 0, NO_SCORES);
  }
}

function bestOf(verdicts: readonly HostVerdict[]): number | undefined {
  let best: number | undefined;
  // Hosts come by name, so that only a better one takes the place of an earlier one.
  for (const [index, { obstacles, points }] of verdicts.entries()) {
    if (obstacles.length > 0) continue;
    if (best === undefined || points > (verdicts[best]?.points ?? 0)) best = index;
  }
  return best;
}

/** The first of these hosts that meets every rule. Undefined: none does. */
export function firstFit(
  request: PlacementRequest,
  inventory: Inventory,
  hosts: Iterable<HostModel>,
): HostModel | undefined {
  const checks = checksOf(request, inventory);
  for (const host of hosts) if (checks.every((check) => check(host) === undefined)) return host;
  return undefined;
}

function checksOf(request: PlacementRequest, inventory: Inventory): HostCheck[] {
  return FILTERS.flatMap((filter) => filter(request, inventory) ?? []);
}

/** Says what keeps a host from ever taking the VM, however much room there is. */
export function lastingObstacles(
  request: PlacementRequest,
  inventory: Inventory,
): (host: HostModel) => readonly Obstacle[] {
  const checks = LASTING_FILTERS.flatMap((filter) => filter(request, inventory) ?? []);
  return (host) => checks.flatMap((check) => check(host) ?? []);
}

function judge(
  host: HostModel,
  checks: readonly HostCheck[],
  scorers: readonly Scorer[],
  scores: readonly HostScore[],
): HostVerdict {
  let obstacles: Obstacle[] | undefined;
  for (const check of checks) {
    const obstacle = check(host);
    if (obstacle === undefined) continue;
    if (obstacles === undefined) obstacles = [obstacle];
    else obstacles.push(obstacle);
  }
  if (obstacles !== undefined) return new HostVerdict(host, obstacles, 0, NO_SCORES);
  let points = 0;
  for (const [index, score] of scores.entries()) points += score(host) * (scorers[index]?.weight ?? 0);
  return new HostVerdict(host, NO_OBSTACLES, points, scores);
}
