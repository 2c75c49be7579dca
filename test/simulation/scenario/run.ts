import type { Order } from '../engine/timeline.ts';
import { InvariantBroken, World } from '../world/world.ts';
import { perform } from './actions.ts';
import { unmet } from './expectations.ts';
import type { Scenario } from './scenario.ts';

/** How a run ended. */
export interface Outcome {
  readonly log: readonly string[];
  /** What went wrong: a promise that was broken, or what is not as expected in the end. Empty: nothing. */
  readonly failures: readonly string[];
  /** What was broken first, without its details, by which failures are told apart. Undefined: nothing. */
  readonly failure: string | undefined;
}

/** Plays a scenario once. The same seed and order give the same run, to the last line of its log. */
export async function runScenario(
  { cluster, events }: Scenario,
  { seed, order }: { readonly seed: number; readonly order: Order['kind'] },
): Promise<Outcome> {
  const world = new World({ plan: cluster, seed, order });
  for (const { at, action } of events.events) world.timeline.after(at * 1000, () => perform(world, action));
  try {
    await world.run(events.runFor * 1000);
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
    return { log: world.log.lines, failures: [error.message], failure: error.invariant };
  }
  const failures = unmet(world, events.finally);
  return { log: world.log.lines, failures, failure: failures.length === 0 ? undefined : 'not as expected in the end' };
}
