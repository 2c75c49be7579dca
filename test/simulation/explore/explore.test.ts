import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { playSeeds } from './pool.ts';
import { HA_SEEDS_FROM, LEASE_SEEDS_FROM, runSeed } from './run-seed.ts';

/**
 * Random clusters of each kind that CI looks at: 10,000 of them, of which the cheap ones are most. `DROVER_SIM_PERCENT` says how many of a hundred are
 * played, for a quick look; `npm run sim:explore` looks at any number of others.
 */
const SHARE = Number(process.env['DROVER_SIM_PERCENT'] ?? 100) / 100;
const RUNS = [
  { first: 1, runs: 8_000 * SHARE },
  { first: HA_SEEDS_FROM, runs: 1_500 * SHARE },
  { first: LEASE_SEEDS_FROM, runs: 500 * SHARE },
];
/** On two cores it takes five minutes; a machine that is busy otherwise takes longer, and has to play as many. */
const TIMEOUT_MS = 3_600_000;

describe('random faults in random clusters', () => {
  it.each([7, HA_SEEDS_FROM + 7, LEASE_SEEDS_FROM + 7])('play the same for the same seed (%i)', async (seed) => {
    const [one, other] = [await runSeed(seed), await runSeed(seed)];
    expect(one.log.length).toBeGreaterThan(50);
    expect(other.log).toEqual(one.log);
  });

  it(
    'break no promise',
    async () => {
      const failed = await playSeeds(RUNS, { workers: availableParallelism() });
      expect(failed.map(({ seed, failures }) => `seed ${seed}: ${failures.join('; ')}`)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
