import type { PowerDevice, PowerState } from './device.ts';
import { PowerError, type PowerErrorReason } from './error.ts';

/** The part of the operator's clock that is needed here. */
export interface PowerClock {
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Resolves after that time; rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface ConfirmOffOptions {
  /** How long to go on, counted from the call. */
  deadlineMs: number;
  /** Between two readings, and between two orders that the device did not take. */
  intervalMs: number;
  clock: PowerClock;
  /** How long after an order that the device took, with the machine still on, it is given again. Default: five intervals. */
  orderAgainAfterMs?: number;
}

export type OffConfirmation =
  /** `confirmedAt`: the clock's monotonicMs() after the device had said `Off`. */
  | { ok: true; confirmedAt: number }
  /** `StillOn`: the device answers, took the order, and reads `On`. */
  | { ok: false; reason: PowerErrorReason | 'StillOn'; message: string };

const INTERVALS_UNTIL_NEXT_ORDER = 5;

/** Failures that stay until somebody changes something: waiting for the deadline would only delay the news. */
const LASTING: ReadonlySet<PowerErrorReason> = new Set([
  'Unauthorized',
  'CertificateNotTrusted',
  'NotSupported',
  'ToolMissing',
]);

/**
 * Orders the machine off and goes on until the device reads `Off`. Nothing else is success: neither that it took the order nor
 * that it no longer answers. A machine that was off already is found so by the first reading, also where the order failed.
 * @throws the signal's reason once that is aborted.
 */
export async function confirmOff(
  device: PowerDevice,
  options: ConfirmOffOptions,
  signal: AbortSignal,
): Promise<OffConfirmation> {
  const { clock, deadlineMs } = options;
  const done = new AbortController();
  const deadline = new AbortController();
  // A device that does not answer must not hold us beyond the deadline.
  clock.sleep(deadlineMs, done.signal).then(
    () => deadline.abort(new PowerError('TimedOut', 'it had not answered by then')),
    () => undefined,
  );
  try {
    return await untilOff(device, options, signal, deadline.signal);
  } finally {
    done.abort();
  }
}

async function untilOff(
  device: PowerDevice,
  { deadlineMs, intervalMs, clock, orderAgainAfterMs = intervalMs * INTERVALS_UNTIL_NEXT_ORDER }: ConfirmOffOptions,
  caller: AbortSignal,
  deadline: AbortSignal,
): Promise<OffConfirmation> {
  const signal = AbortSignal.any([caller, deadline]);
  const startedAt = clock.monotonicMs();
  const elapsedMs = () => clock.monotonicMs() - startedAt;
  let orderTakenAt = Number.NEGATIVE_INFINITY;
  let refusal: PowerError | undefined;
  let seen: PowerState | PowerError | undefined;

  while (!deadline.aborted && elapsedMs() < deadlineMs) {
    if (clock.monotonicMs() - orderTakenAt >= orderAgainAfterMs) {
      const answer = await outcome(device.forceOff(signal), caller);
      refusal = answer instanceof PowerError ? answer : undefined;
      if (refusal === undefined) orderTakenAt = clock.monotonicMs();
      // What was seen before says more than a reading that is broken off at once.
      if (deadline.aborted) break;
    }
    const reading = await outcome(device.readState(signal), caller);
    seen = reading instanceof PowerError ? reading : reading.state;
    if (seen === 'Off') return { ok: true, confirmedAt: clock.monotonicMs() };
    if ([refusal, seen].some((each) => each instanceof PowerError && LASTING.has(each.reason))) break;
    await clock.sleep(Math.max(0, Math.min(intervalMs, deadlineMs - elapsedMs())), caller);
  }
  return notConfirmed(seen, refusal, elapsedMs());
}

/** The result, or the device's failure as a value. */
async function outcome<T>(asked: Promise<T>, caller: AbortSignal): Promise<T | PowerError> {
  try {
    return await asked;
  } catch (error) {
    caller.throwIfAborted();
    if (error instanceof PowerError) return error;
    throw error;
  }
}

/** The order's failure says more than what was read after it. */
function notConfirmed(
  seen: PowerState | PowerError | undefined,
  refusal: PowerError | undefined,
  elapsedMs: number,
): OffConfirmation & { ok: false } {
  const order = refusal === undefined ? 'the device took the order' : `the order failed (${refusal.message})`;
  const state =
    seen instanceof PowerError ? `the state cannot be read (${seen.message})` : `it reads ${seen ?? 'nothing yet'}`;
  const reason = refusal?.reason ?? (seen instanceof PowerError ? seen.reason : 'StillOn');
  return {
    ok: false,
    reason,
    message: `Not confirmed off after ${(elapsedMs / 1000).toFixed(1)} s: ${order}; ${state}`,
  };
}
