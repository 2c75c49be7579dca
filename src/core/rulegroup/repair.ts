import type { Migration, MigrationFailure } from '../../api/migration.ts';
import { retryAtMs } from '../migration/retry.ts';
import type { Violation } from './violations.ts';

/** A VM that is where a rule does not want it, and what could be done about it. */
export interface Repairable extends Violation {
  /** A Migration of the VM, or of its RuleGroup, that has not ended. Undefined: there is none. */
  readonly underWay: Migration | undefined;
  /** Those that were made to keep the rule, and have failed. */
  readonly failed: readonly Migration[];
  /** Asks where it could go. */
  readonly plan: () =>
    | { readonly ok: true; readonly targetHost: string }
    | { readonly ok: false; readonly failures: readonly MigrationFailure[] };
}

export interface Remedy {
  readonly violation: Violation;
  /** For people: what is being done, will be, or cannot be done, and why. */
  readonly message: string;
  /** Host to move it to now. Undefined: it is not moved now. */
  readonly targetHost?: string;
}

/**
 * What is done about each violation of a rule. A VM is moved, never stopped; at most so many at once, since each costs the
 * hosts something.
 * @param budget how many of the group's VMs may be on their way at once
 */
export function planRepair(
  repairables: readonly Repairable[],
  budget: number,
  nowMs: number,
): { readonly remedies: readonly Remedy[]; readonly untilMs?: number } {
  let free = budget - new Set(repairables.flatMap(({ underWay }) => underWay?.metadata.uid ?? [])).size;
  const waits: number[] = [];
  const remedies = repairables.map((repairable): Remedy => {
    const { underWay, failed, plan, ...violation } = repairable;
    if (underWay !== undefined) {
      const target = underWay.status?.targetHost;
      const where = target === undefined ? 'moves it' : `moves it to ${target}`;
      return { violation, message: `Migration ${underWay.metadata.name} ${where}` };
    }
    const untilMs = retryAtMs(failed, nowMs);
    if (nowMs < untilMs) {
      waits.push(untilMs);
      const why = failed.at(-1)?.status?.failures?.[0]?.message ?? 'it could not be moved';
      return { violation, message: `${why}; it is tried again at ${new Date(untilMs).toISOString()}` };
    }
    if (free <= 0) return { violation, message: 'it is moved when its turn has come' };
    const verdict = plan();
    if (!verdict.ok) {
      const why = verdict.failures.map(({ message }) => message).join('; ');
      return { violation, message: `it cannot be moved now: ${why}` };
    }
    free -= 1;
    return { violation, message: `it is moved to ${verdict.targetHost}`, targetHost: verdict.targetHost };
  });
  return { remedies, ...(waits.length > 0 && { untilMs: Math.min(...waits) }) };
}
