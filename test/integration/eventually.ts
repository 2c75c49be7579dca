import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until `check` returns something other than undefined or false.
 * @throws when that takes longer than `timeoutMs`, with `what` and the last thing seen.
 */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const seen = await check();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > endMs) throw new Error(`after ${timeoutMs / 1000} s still not: ${what}`);
    await sleep(10);
  }
}
