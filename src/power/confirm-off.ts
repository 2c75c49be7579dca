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
    () => deadline.abort(),
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
  let order: 'NotAnswered' | 'Taken' | PowerError = 'NotAnswered';
  let orderTakenAt = Number.NEGATIVE_INFINITY;
  let seen: 'NotAnswered' | PowerState | PowerError = 'NotAnswered';

  while (elapsedMs() < deadlineMs) {
    if (clock.monotonicMs() - orderTakenAt >= orderAgainAfterMs) {
      const answer = await outcome(
        device.forceOff(signal).then(() => 'Taken' as const),
        caller,
        deadline,
      );
      if (answer === undefined) break;
      order = answer;
      if (order === 'Taken') orderTakenAt = clock.monotonicMs();
    }
    const reading = await outcome(
      device.readState(signal).then(({ state }) => state),
      caller,
      deadline,
    );
    if (reading === 'Off') return { ok: true, confirmedAt: clock.monotonicMs() };
    if (reading === undefined) break;
    seen = reading;
    if (isLasting(order) || isLasting(seen)) break;
    await clock.sleep(Math.max(0, Math.min(intervalMs, deadlineMs - elapsedMs())), caller);
  }
  return notConfirmed(order, seen, elapsedMs());
}

/** The answer, or the device's failure as a value. Undefined: broken off by the deadline, which says nothing about the device. */
async function outcome<T>(
  asked: Promise<T>,
  caller: AbortSignal,
  deadline: AbortSignal,
): Promise<T | PowerError | undefined> {
  try {
    return await asked;
  } catch (error) {
    caller.throwIfAborted();
    if (deadline.aborted) return undefined;
    if (error instanceof PowerError) return error;
    throw error;
  }
}

function isLasting(answer: unknown): boolean {
  return answer instanceof PowerError && LASTING.has(answer.reason);
}

/** A failed order says more than what was read after it. */
function notConfirmed(
  order: 'NotAnswered' | 'Taken' | PowerError,
  seen: 'NotAnswered' | PowerState | PowerError,
  elapsedMs: number,
): OffConfirmation & { ok: false } {
  const message = `Not confirmed off after ${(elapsedMs / 1000).toFixed(1)} s: ${aboutOrder(order)}; ${aboutState(seen)}`;
  const failed = [order, seen].find((each) => each instanceof PowerError);
  if (failed !== undefined) return { ok: false, reason: failed.reason, message };
  const silent = order === 'NotAnswered' || seen === 'NotAnswered';
  return { ok: false, reason: silent ? 'TimedOut' : 'StillOn', message };
}

function aboutOrder(order: 'NotAnswered' | 'Taken' | PowerError): string {
  if (order instanceof PowerError) return `the order failed (${order.message})`;
  return order === 'Taken' ? 'the device took the order' : 'the device did not answer the order';
}

function aboutState(seen: 'NotAnswered' | PowerState | PowerError): string {
  if (seen instanceof PowerError) return `the state cannot be read (${seen.message})`;
  return seen === 'NotAnswered' ? 'it has not told its state' : `it reads ${seen}`;
}
