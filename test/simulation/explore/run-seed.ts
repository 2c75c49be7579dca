import { type Outcome, runScenario } from '../scenario/run.ts';
import { parseScenario, type ScenarioInput } from '../scenario/scenario.ts';
import { randomScenario } from './random-scenario.ts';

/** Plays the random scenario of a seed, in the order of the same seed. */
export async function runSeed(seed: number): Promise<Outcome> {
  return await runInput(randomScenario(seed), seed);
}

export async function runInput(scenario: ScenarioInput, seed: number): Promise<Outcome> {
  return await runScenario(parseScenario(scenario), { seed, order: 'random' });
}
