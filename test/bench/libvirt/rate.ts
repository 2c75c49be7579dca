/** Calls per second with `inFlight` calls under way at any time, each starting the next as it ends. */
export async function ratePerSecond(
  call: () => Promise<unknown>,
  inFlight: number,
  durationMs: number,
): Promise<number> {
  let calls = 0;
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  const one = async (): Promise<void> => {
    while (performance.now() < endMs) {
      await call();
      calls++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return (calls * 1000) / (performance.now() - startMs);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
