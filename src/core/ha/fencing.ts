import type { HostAvailability } from '../../api/host-availability.ts';
import { endOfWait, isStillToCome } from '../model/clock.ts';
import { confirmedByHand, isConfirmed, leaseLapsed, proven } from './host-proof.ts';
import { ASK_EVERY_MS, type HostInput, type HostStep, inState, iso, WATCH_EVERY_MS } from './host-step.ts';

/** Before the next attempt of a fencing that failed: doubled each time, up to the longest. */
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 30_000;

export const FENCING_FAILED = 'FencingFailed';

/** What a fencing has come to. */
export type FenceOutcome = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** The state after an attempt to cut the power. */
export function afterFence(before: HostAvailability, outcome: FenceOutcome, nowMs: number): HostAvailability {
  const { fence } = before;
  if (fence === undefined) return before;
  const at = iso(nowMs);
  const { message: _message, ...rest } = fence;
  if (!outcome.ok) {
    const message = `the host could not be powered off (attempt ${fence.attempts}): ${outcome.message}`;
    return {
      ...before,
      reason: FENCING_FAILED,
      message: `${message}. It is tried again`,
      fence: { ...rest, message: outcome.message },
    };
  }
  return {
    ...before,
    state: 'Fenced',
    since: at,
    reason: 'PoweredOff',
    message: `its BMC has cut the power, and reads that it is off: nothing of boot ${fence.bootID} runs any more`,
    fence: { ...rest, confirmedAt: at },
  };
}

/** When the next attempt of a fencing that has failed is due, in Unix time. */
function retryAtMs({ fence, since }: HostAvailability, nowMs: number): number {
  const { attempts = 0, startedAt = since } = fence ?? {};
  // The sum of all waits so far: what one attempt took beyond it only delays the next one.
  let waitedMs = 0;
  for (let attempt = 0; attempt < attempts; attempt++)
    waitedMs += Math.min(FIRST_RETRY_MS * 2 ** attempt, LONGEST_RETRY_MS);
  return endOfWait(Date.parse(startedAt), waitedMs, nowMs);
}

/** It came back while nobody led, and has fallen silent again: then it has the same time to be heard of as any other host. */
export function hasLivedSince(
  { nowMs, heartbeat, policy: { failureDetection } }: HostInput,
  before: HostAvailability,
): boolean {
  if (heartbeat.silentMs >= failureDetection.deadAfterSeconds * 1000) return false;
  return heartbeat.kind === 'Seen' || nowMs - heartbeat.oldMs > Date.parse(before.fence?.startedAt ?? before.since);
}

/** A fencing that is under way, perhaps by an operator that is no more. */
export function fencing(input: HostInput, before: HostAvailability): HostStep {
  const { nowMs, bootID, power } = input;
  if (power.kind === 'Read' && power.state === 'Off') {
    return proven(
      input,
      'BMC',
      'PoweredOff',
      `its BMC has cut the power, and reads that it is off: nothing of boot ${bootID} runs any more`,
    );
  }
  if (isConfirmed(input)) return confirmedByHand(input);
  const lapsed = leaseLapsed(input);
  if (lapsed !== undefined) return lapsed;
  const waitMs = retryAtMs(before, nowMs) - nowMs;
  const isFailed = before.reason === FENCING_FAILED;
  if (isFailed && waitMs > 0) return { availability: before, fence: false, againMs: Math.min(waitMs, WATCH_EVERY_MS) };
  return attempt(input, before);
}

export function attempt(input: HostInput, before: HostAvailability | undefined): HostStep {
  const { nowMs, bootID } = input;
  const known = before?.fence?.bootID === bootID ? before.fence : undefined;
  const startedMs = Date.parse(known?.startedAt ?? iso(nowMs));
  // Waits are counted from the first attempt: where a clock was wrong, from this one.
  const isFirst = known === undefined || isStillToCome(startedMs, nowMs);
  const attempts = isFirst ? 1 : (known.attempts ?? 0) + 1;
  const message = 'no sign of life on any path; its BMC is cutting the power';
  const step = inState(input, 'Fencing', 'CuttingPower', message, ASK_EVERY_MS);
  const fence = {
    bootID,
    method: 'BMC' as const,
    startedAt: iso(isFirst ? nowMs : startedMs),
    attempts,
    // Until this attempt has an outcome, that of the one before is the last.
    ...(known?.message !== undefined && { message: known.message }),
  };
  return { ...step, availability: { ...step.availability, fence }, fence: true };
}
