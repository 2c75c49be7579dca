import type { HostModel } from '../model/host.ts';
import { byName } from '../model/order.ts';
import type { Filter } from './filter.ts';
import { cpu } from './filters/cpu.ts';
import { datastoreReach } from './filters/datastore-reach.ts';
import { diskHost } from './filters/disk-host.ts';
import { hostReady } from './filters/host-ready.ts';
import { hostSelector } from './filters/host-selector.ts';
import { lastHost } from './filters/last-host.ts';
import { memory } from './filters/memory.ts';
import { switchReach } from './filters/switch-reach.ts';
import type { PlacementRequest } from './request.ts';

/** Every rule that a host must meet. All of them are asked, so that an explanation names every obstacle at once. */
const FILTERS: readonly Filter[] = [
  lastHost,
  hostReady,
  hostSelector,
  cpu,
  memory,
  datastoreReach,
  diskHost,
  switchReach,
];

/** Why a host cannot take the VM. */
export interface Obstacle {
  readonly reason: string;
  readonly message: string;
}

/** What became of one host in a placement. */
export interface HostVerdict {
  readonly host: string;
  /** Empty when the VM fits. */
  readonly obstacles: readonly Obstacle[];
  /** Part of the host's memory that would be free with the VM on it, 0 to 1. */
  readonly freeMemoryFraction: number;
}

/** Where a VM goes, and what speaks for and against every host, by name. */
export type Placement =
  | { readonly ok: true; readonly host: string; readonly verdicts: readonly HostVerdict[] }
  | { readonly ok: false; readonly verdicts: readonly HostVerdict[] };

/**
 * Chooses the host for a VM: of those that meet every rule the one whose memory stays freest, then by name.
 * Deterministic: the order of `hosts` does not matter.
 */
export function place(request: PlacementRequest, hosts: readonly HostModel[]): Placement {
  const verdicts = hosts.toSorted(byName).map((host) => judge(request, host));
  const best = verdicts.filter((verdict) => verdict.obstacles.length === 0).reduce(better, undefined);
  return best === undefined ? { ok: false, verdicts } : { ok: true, host: best.host, verdicts };
}

function judge(request: PlacementRequest, host: HostModel): HostVerdict {
  const obstacles = FILTERS.flatMap((filter): Obstacle[] => {
    const verdict = filter(request, host);
    return verdict.ok ? [] : [{ reason: verdict.reason, message: verdict.message }];
  });
  return { host: host.name, obstacles, freeMemoryFraction: freeMemoryFraction(request, host) };
}

function freeMemoryFraction(request: PlacementRequest, host: HostModel): number {
  const { memoryBytes } = host.allocatable;
  if (memoryBytes === 0) return 0;
  return Math.max(0, (memoryBytes - host.reserved.memoryBytes - request.reserved.memoryBytes) / memoryBytes);
}

/** Candidates come by name, so that a strictly better one alone takes the place of an earlier one. */
function better(best: HostVerdict | undefined, next: HostVerdict): HostVerdict {
  return best === undefined || next.freeMemoryFraction > best.freeMemoryFraction ? next : best;
}
