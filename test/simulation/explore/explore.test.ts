import { describe, expect, it } from 'vitest';
import { HA_SEEDS_FROM, runSeed } from './run-seed.ts';

/** CI's look at random faults; `npm run sim:explore` looks at more. */
const RUNS = 40;
const FIRST_SEED = 1;
const HA_RUNS = 15;

describe('random faults in random clusters', () => {
  it('play the same for the same seed', async () => {
    const [one, other] = [await runSeed(7), await runSeed(7)];
    expect(one.log.length).toBeGreaterThan(50);
    expect(other.log).toEqual(one.log);
  });

  it.each(Array.from({ length: RUNS }, (_, index) => FIRST_SEED + index))(
    'break no promise with seed %i',
    async (seed) => {
      const { failures } = await runSeed(seed);
      expect(failures).toEqual([]);
    },
  );

  it.each(Array.from({ length: HA_RUNS }, (_, index) => HA_SEEDS_FROM + index))(
    'break no promise of high availability with seed %i',
    async (seed) => {
      const { failures } = await runSeed(seed);
      expect(failures).toEqual([]);
    },
  );
});
