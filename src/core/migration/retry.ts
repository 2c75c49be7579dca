import type { Migration } from '../../api/migration.ts';
import { isStillToCome } from '../model/clock.ts';

/** After a VM could not be moved it is tried again; the wait is doubled each time, up to the longest. */
const FIRST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 600_000;

/**
 * When a VM whose Migrations have failed is tried again (Unix time, milliseconds, as `nowMs`); 0: none has failed. Those that have failed at a time that is still
 * to come only count.
 */
export function retryAtMs(failed: readonly Migration[], nowMs: number): number {
  const ends = failed.map(({ status }) => Date.parse(status?.finishedAt ?? '')).filter((ms) => !Number.isNaN(ms));
  const lastMs = Math.max(0, ...ends.filter((ms) => !isStillToCome(ms, nowMs)));
  return lastMs === 0 ? 0 : lastMs + Math.min(FIRST_RETRY_MS * 2 ** (ends.length - 1), LONGEST_RETRY_MS);
}
