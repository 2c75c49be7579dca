import type { Host, HostStatus } from '../../api/host.ts';
import { MAX_BLOCKED } from '../../api/host-evacuation.ts';
import type { Migration, MigrationFailure } from '../../api/migration.ts';
import { retryAtMs } from '../migration/retry.ts';
import { nameOf } from '../model/names.ts';
import { maintenanceOf } from '../model/read-host.ts';

/** A VM of the host, with the VMs that can only leave together with it. */
export interface Evacuee {
  /** `namespace/name`. */
  readonly key: string;
  /** `namespace/name` of all that are moved as one with it, itself among them, sorted. */
  readonly together: readonly string[];
  /** RuleGroup (same namespace) that keeps them together. Undefined: it is moved alone. */
  readonly ruleGroup: string | undefined;
  /** Migrations of it, of its RuleGroup among them, that have not ended. */
  readonly underWay: readonly Migration[];
  /** Those that were made to empty a host, and have failed. */
  readonly failed: readonly Migration[];
  /** Asks whether it, with all that leave together with it, can be moved now. */
  readonly plan: () => { readonly ok: true } | { readonly ok: false; readonly failures: readonly MigrationFailure[] };
}

export interface EvacuationInput {
  /** Unix time, milliseconds. */
  readonly nowMs: number;
  readonly host: Host;
  /** Its Cluster keeps it empty for failovers, and wants it empty again after one. */
  readonly isKeptEmpty: boolean;
  /** VMs that are on the host, by name. */
  readonly evacuees: readonly Evacuee[];
  /** How many Migrations off the host may wait or run at once. */
  readonly atOnce: number;
}

export interface EvacuationStep {
  /** To be moved now, one or as one. */
  readonly move: readonly Evacuee[];
  /** Migrations that are not wanted any more: they have not begun, and the host is in maintenance no more. */
  readonly stop: readonly Migration[];
  /** Undefined: the host need not be emptied. */
  readonly evacuation: HostStatus['evacuation'];
  /** When something that failed is tried again (Unix time, milliseconds). Undefined: nothing waits. */
  readonly untilMs?: number;
}

/** What is done next to empty a host, and how far it is. */
export function nextEvacuationStep({ nowMs, host, isKeptEmpty, evacuees, atOnce }: EvacuationInput): EvacuationStep {
  const cause = maintenanceOf(host) ?? leftAgain(isKeptEmpty, evacuees);
  const ours = (migration: Migration) => migration.spec.cause === 'Maintenance';
  if (cause === undefined) {
    const waiting = evacuees
      .flatMap(({ underWay }) => underWay)
      .filter((migration) => ours(migration) && !hasBegun(migration));
    return { move: [], stop: [...new Set(waiting)], evacuation: undefined };
  }
  const before = host.status?.evacuation;
  const move: Evacuee[] = [];
  const blocked: NonNullable<NonNullable<HostStatus['evacuation']>['blocked']> = [];
  const waits: number[] = [];
  const taken = new Set<string>();
  let open = new Set(evacuees.flatMap(({ underWay }) => underWay.map(({ metadata }) => metadata.uid))).size;
  let moving = 0;
  for (const evacuee of evacuees) {
    if (evacuee.underWay.length > 0 || taken.has(evacuee.key)) {
      moving += 1;
      continue;
    }
    const untilMs = retryAtMs(evacuee.failed, nowMs);
    if (nowMs < untilMs) {
      waits.push(untilMs);
      blocked.push(blockedBy(evacuee.key, evacuee.failed.at(-1)?.status?.failures ?? [], untilMs));
      continue;
    }
    // Those that wait for their turn are asked when it has come: what holds then counts.
    if (open >= atOnce) continue;
    const verdict = evacuee.plan();
    if (!verdict.ok) {
      blocked.push(blockedBy(evacuee.key, verdict.failures));
      continue;
    }
    open += 1;
    moving += 1;
    move.push(evacuee);
    for (const key of evacuee.together) taken.add(key);
  }
  const remaining = evacuees.length;
  return {
    move,
    stop: [],
    evacuation: {
      cause,
      since: before?.since ?? new Date(nowMs).toISOString(),
      total: Math.max(before?.total ?? 0, remaining),
      remaining,
      moving,
      ...(blocked.length > 0 && { blocked: blocked.slice(0, MAX_BLOCKED) }),
    },
    ...(waits.length > 0 && { untilMs: Math.min(...waits) }),
  };
}

/** One that is kept empty, and is, has nothing to tell. */
function leftAgain(isKeptEmpty: boolean, evacuees: readonly Evacuee[]): 'FailoverHost' | undefined {
  return isKeptEmpty && evacuees.length > 0 ? 'FailoverHost' : undefined;
}

function hasBegun({ status }: Migration): boolean {
  return !['Pending', 'Preparing'].includes(status?.phase ?? 'Pending');
}

function blockedBy(key: string, failures: readonly MigrationFailure[], untilMs?: number) {
  const again = untilMs === undefined ? '' : `; it is tried again at ${new Date(untilMs).toISOString()}`;
  const words = failures.map(({ message }) => message).join('; ');
  return {
    virtualMachine: key,
    reason: failures[0]?.reason ?? 'Failed',
    message: `${words || `Migration of ${nameOf(key)} failed`}${again}`.slice(0, 1024),
  };
}
