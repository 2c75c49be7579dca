import { type Outcome, runScenario } from '../scenario/run.ts';
import { parseScenario, type ScenarioInput } from '../scenario/scenario.ts';
import { randomHaScenario, randomLeaseScenario } from './random-ha-scenario.ts';
import { randomScenario } from './random-scenario.ts';

/** First seed of a cluster with high availability. */
export const HA_SEEDS_FROM = 1_000_000;
/** First seed of a cluster whose hosts hold leases on storage. */
export const LEASE_SEEDS_FROM = 2_000_000;

/** Plays the random scenario of a seed, in the order of the same seed. */
export async function runSeed(seed: number): Promise<Outcome> {
  return await runInput(scenarioOf(seed), seed);
}

/** Seeds from a million on are clusters with high availability by BMCs, from two millions on by leases on storage. */
export function scenarioOf(seed: number): ScenarioInput {
  if (seed >= LEASE_SEEDS_FROM) return randomLeaseScenario(seed);
  return seed >= HA_SEEDS_FROM ? randomHaScenario(seed) : randomScenario(seed);
}

export async function runInput(scenario: ScenarioInput, seed: number): Promise<Outcome> {
  return await runScenario(parseScenario(scenario), { seed, order: 'random' });
}
