import type { MigrationProgress } from '../../api/virtual-machine-instance-migration.ts';

/** Downtimes that a migration is allowed one after the other, in milliseconds. Source: design, "Live migration". */
export const DOWNTIME_LADDER_MS: readonly number[] = [100, 150, 200, 300, 400, 500];

/** What a migration may do when the guest writes memory faster than it is copied. */
export interface StallLimits {
  readonly maxDowntimeMilliseconds: number;
  readonly postCopy: boolean;
  readonly progressTimeoutSeconds: number;
  readonly completionTimeoutSeconds: number;
}

/** What is remembered from one look to the next. Begin with `beginStall`. */
export interface StallState {
  /** Iteration that was looked at last. */
  readonly iteration: number;
  /** What was left when that iteration began, in bytes. */
  readonly startBytes: number;
  /** The least that any iteration began with, in bytes. */
  readonly bestStartBytes: number;
  /** The least that was left since the last iteration that began with less than all before it; bytes. */
  readonly leastBytes: number;
  /** When it last came nearer to its end (monotonic, milliseconds). */
  readonly nearerAtMs: number;
}

/** @param nowMs monotonic, milliseconds */
export function beginStall(nowMs: number): StallState {
  const none = Number.POSITIVE_INFINITY;
  return { iteration: 0, startBytes: none, bestStartBytes: none, leastBytes: none, nearerAtMs: nowMs };
}

export type StallAction =
  | { readonly action: 'AllowDowntime'; readonly milliseconds: number; readonly why: string }
  | { readonly action: 'StartPostCopy'; readonly why: string }
  | { readonly action: 'GiveUp'; readonly reason: 'NotConverging' | 'TimedOut'; readonly message: string };

/**
 * The first downtime that a migration is allowed. Under emulation it is the longest at once: QEMU's TCG now and then loses a
 * write to a page that is copied while the guest runs, so that each pass over what was written anew endangers the guest. A
 * longer downtime spares it these passes. Source: own measurements, docs/adr/0011.
 */
export function firstDowntimeMs(
  { maxDowntimeMilliseconds }: Pick<StallLimits, 'maxDowntimeMilliseconds'>,
  virtualization: 'kvm' | 'qemu',
): number {
  if (virtualization === 'qemu') return maxDowntimeMilliseconds;
  return Math.min(DOWNTIME_LADDER_MS[0] ?? maxDowntimeMilliseconds, maxDowntimeMilliseconds);
}

/**
 * Looks at a migration anew. An iteration that begins with no less to copy than the one before it allows a longer
 * downtime; when none is left, and nothing came nearer for the progress timeout, or the whole takes too long, the guest
 * goes on at the target (post-copy), where that is allowed, and else stays at the source. QEMU slows the guest down by itself.
 * @param nowMs monotonic, milliseconds
 * @param startedMs when the copying began, on the same clock
 */
export function lookAtStall(
  before: StallState,
  progress: MigrationProgress,
  limits: StallLimits,
  { nowMs, startedMs }: { readonly nowMs: number; readonly startedMs: number },
): { readonly state: StallState; readonly action?: StallAction } {
  const { remainingBytes, iteration } = progress;
  const isNewIteration = iteration > before.iteration;
  const state = follow(before, progress, nowMs);
  if (progress.postCopy) return { state };
  const end = (reason: 'NotConverging' | 'TimedOut', why: string) => ({
    state,
    action: limits.postCopy
      ? ({ action: 'StartPostCopy', why } as const)
      : ({ action: 'GiveUp', reason, message: `${why}; the VM stays where it is` } as const),
  });
  if (nowMs - startedMs >= limits.completionTimeoutSeconds * 1000) {
    return end('TimedOut', `it has not ended within ${limits.completionTimeoutSeconds} s`);
  }
  const isStalled = isNewIteration && iteration > 2 && remainingBytes >= before.startBytes;
  const next = nextDowntimeMs(progress.maxDowntimeMilliseconds, limits);
  if (isStalled && next !== undefined) {
    const why = `iteration ${iteration} began with no less to copy than the one before it`;
    return { state, action: { action: 'AllowDowntime', milliseconds: next, why } };
  }
  if (nowMs - state.nearerAtMs >= limits.progressTimeoutSeconds * 1000) {
    const rate = `the guest writes ${mebibytes(progress.dirtiedBytesPerSecond)} and ${mebibytes(progress.bytesPerSecond)} are copied each second`;
    return end('NotConverging', `nothing came nearer for ${limits.progressTimeoutSeconds} s: ${rate}`);
  }
  return { state };
}

/** Within an iteration less and less is left, whether or not it leads anywhere: what counts is what the next begins with. */
function follow(before: StallState, { iteration, remainingBytes }: MigrationProgress, nowMs: number): StallState {
  if (iteration > before.iteration) {
    const isBetter = iteration <= 1 || remainingBytes < before.bestStartBytes;
    return {
      iteration,
      startBytes: remainingBytes,
      bestStartBytes: Math.min(before.bestStartBytes, remainingBytes),
      leastBytes: isBetter ? remainingBytes : 0,
      nearerAtMs: isBetter ? nowMs : before.nearerAtMs,
    };
  }
  return remainingBytes < before.leastBytes ? { ...before, leastBytes: remainingBytes, nearerAtMs: nowMs } : before;
}

function nextDowntimeMs(now: number, { maxDowntimeMilliseconds }: StallLimits): number | undefined {
  if (now >= maxDowntimeMilliseconds) return undefined;
  const next = DOWNTIME_LADDER_MS.find((step) => step > now) ?? maxDowntimeMilliseconds;
  return Math.min(next, maxDowntimeMilliseconds);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
