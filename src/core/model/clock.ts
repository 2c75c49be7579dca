/**
 * What a time is worth that somebody wrote down: an operator that led before, or a host. Their clocks may be wrong, and this one may have been set.
 * Times are Unix time, in milliseconds.
 */

/** Clocks of machines that ask a time server differ by much less. */
const WRONG_FROM_MS = 60_000;

/** Whether what has happened then was told by a clock that is ahead, for it is still to come. */
export function isStillToCome(atMs: number, nowMs: number): boolean {
  return atMs > nowMs + WRONG_FROM_MS;
}

/** The end of a wait that its beginner has reckoned himself. It never lasts longer than he waits at most: else the clock was set back since. */
export function endOfOwnWait(untilMs: number, longestMs: number, nowMs: number): number {
  return untilMs - nowMs > longestMs ? nowMs : untilMs;
}

/** When a wait is over that began then. One that is still to begin is over: else somebody would wait for as long as a clock was wrong, which may be for years. */
export function endOfWait(beganMs: number, lengthMs: number, nowMs: number): number {
  return isStillToCome(beganMs, nowMs) ? nowMs : beganMs + lengthMs;
}
