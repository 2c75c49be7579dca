import { setTimeout as sleep } from 'node:timers/promises';

/** What a probe saw: the thing waited for, or why it is not there yet. */
export type Seen<T> = { readonly ready: true; readonly value: T } | { readonly ready: false; readonly because: string };

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  /** Called now and then while waiting, with the reason why it is not there yet. */
  readonly onProgress?: (because: string, elapsedMs: number) => void;
  readonly progressEveryMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks again and again until the thing is there.
 * @param what completes "Timed out waiting for ...".
 * @throws when the time is over, with the last reason, or at once when the probe itself throws.
 */
export async function waitFor<T>(
  what: string,
  probe: () => Seen<T> | Promise<Seen<T>>,
  { timeoutMs, intervalMs = 50, onProgress, progressEveryMs = 4_000, signal }: WaitOptions,
): Promise<T> {
  const start = performance.now();
  let nextProgressMs = progressEveryMs;
  for (;;) {
    const seen = await probe();
    if (seen.ready) return seen.value;
    const elapsedMs = performance.now() - start;
    if (elapsedMs >= timeoutMs) {
      throw new Error(`Timed out after ${(timeoutMs / 1000).toFixed(0)} s waiting for ${what}: ${seen.because}`);
    }
    if (onProgress && elapsedMs >= nextProgressMs) {
      nextProgressMs = elapsedMs + progressEveryMs;
      onProgress(seen.because, elapsedMs);
    }
    await sleep(intervalMs, undefined, signal ? { signal } : {});
  }
}
