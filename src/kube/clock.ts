import { setTimeout as sleepFor } from 'node:timers/promises';

/** A timer that has not fired yet. */
export interface Timer {
  cancel(): void;
}

/** Time as an input: production uses {@link systemClock}, tests a virtual one. */
export interface Clock {
  /** Wall-clock time, for what people and other machines read. May jump. */
  now(): Date;
  /** Milliseconds since an arbitrary start; never goes back. For deadlines and durations. */
  monotonicMs(): number;
  setTimeout(callback: () => void, delayMs: number): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  setTimeout(callback, delayMs) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  async sleep(delayMs, signal) {
    signal?.throwIfAborted();
    await sleepFor(delayMs, undefined, signal ? { signal } : {}).catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : error;
    });
  },
};

/** Like `clock.sleep`, but an abort only ends the pause early. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(delayMs, signal).catch((reason: unknown) => {
    if (!signal.aborted) throw reason;
  });
}
