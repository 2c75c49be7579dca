import { Worker } from 'node:worker_threads';
import type { RunResult } from './worker.ts';

/** Seeds from `first` on, so many of them. */
export interface SeedRange {
  readonly first: number;
  readonly runs: number;
}

export interface PoolOptions {
  readonly workers: number;
  /** Told of each run that has ended, and how many have. */
  readonly onRun?: (result: RunResult, count: number) => void;
}

/**
 * Plays all seeds. They are given out one by one, so that no worker waits for another one.
 * @returns the runs that failed, by seed
 */
export async function playSeeds(ranges: readonly SeedRange[], { workers, onRun }: PoolOptions): Promise<RunResult[]> {
  const seeds = seedsOf(ranges);
  const failed: RunResult[] = [];
  let count = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url), {
        // Most of a run is garbage at its end: a young generation that holds it is hardly ever collected.
        resourceLimits: { maxYoungGenerationSizeMb: 64 },
      });
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const giveOut = () => {
        const { value, done } = seeds.next();
        if (done) resolve();
        else worker.postMessage(value);
      };
      worker.on('error', reject);
      worker.on('message', (result: RunResult) => {
        count++;
        if (result.failure !== undefined) failed.push(result);
        onRun?.(result, count);
        giveOut();
      });
      giveOut();
      await promise;
      await worker.terminate();
    }),
  );
  return failed.sort((a, b) => a.seed - b.seed);
}

function* seedsOf(ranges: readonly SeedRange[]): Generator<number, undefined> {
  for (const { first, runs } of ranges) for (let seed = first; seed < first + runs; seed++) yield seed;
}
