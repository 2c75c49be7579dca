import type { Migration } from '../../api/migration.ts';

/** After a VM could not be moved it is tried again; the wait is doubled each time, up to the longest. */
const FIRST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 600_000;

/** When a VM whose Migrations have failed is tried again (Unix time, milliseconds); 0: none has failed. */
export function retryAtMs(failed: readonly Migration[]): number {
  const ends = failed.map(({ status }) => Date.parse(status?.finishedAt ?? '')).filter((ms) => !Number.isNaN(ms));
  if (ends.length === 0) return 0;
  return Math.max(...ends) + Math.min(FIRST_RETRY_MS * 2 ** (ends.length - 1), LONGEST_RETRY_MS);
}
