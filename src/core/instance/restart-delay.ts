import type { Run } from './situation.ts';

const FIRST_WAIT_SECONDS = 10;
const LONGEST_WAIT_SECONDS = 300;
/** After so long a run, what made the VM stop before is over. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;

/**
 * How long the next start waits after a run that stopped by itself, in seconds: the first one not at all, the next 10 s,
 * doubling up to 5 min; from the beginning again after a run of 10 min. Figures as of the kubelet's CrashLoopBackOff.
 */
export function restartDelaySeconds(run: Run, stoppedAt: string): number {
  const ranMs = Date.parse(stoppedAt) - Date.parse(run.startedAt);
  if (run.restartDelaySeconds === undefined || ranMs >= FORGOTTEN_AFTER_MS) return 0;
  return Math.min(Math.max(run.restartDelaySeconds * 2, FIRST_WAIT_SECONDS), LONGEST_WAIT_SECONDS);
}
