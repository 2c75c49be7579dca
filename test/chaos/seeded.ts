import { waitFor } from '../lab/wait.ts';

export const SEED = Number(process.env['DROVER_CHAOS_SEED'] ?? '1');

/** Numbers from 0 to 1: the same seed gives the same ones in the same order (Mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const next = random(SEED);

export function pick<T>(list: readonly T[]): T {
  const found = list[Math.floor(next() * list.length)];
  if (found === undefined) throw new Error('nothing to pick from');
  return found;
}

/** A user's call that is repeated while the API server is away, as kubectl's user would. */
export async function insist(what: string, call: () => Promise<unknown>): Promise<void> {
  await waitFor(
    what,
    async () => {
      try {
        await call();
        return { ready: true, value: undefined };
      } catch (error) {
        return { ready: false, because: error instanceof Error ? error.message : String(error) };
      }
    },
    { timeoutMs: 60_000, intervalMs: 250 },
  );
}
