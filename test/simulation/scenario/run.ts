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

/** How long everything has to stay as expected before a run may end early, and how often that is looked at, in milliseconds. */
const SETTLED_MS = 5_000;
const LOOK_MS = 5_000;

/** Plays a scenario once. The same seed and order give the same run, to the last line of its log. */
export async function runScenario(
  { cluster, events }: Scenario,
  { seed, order }: { readonly seed: number; readonly order: Order['kind'] },
): Promise<Outcome> {
  const world = new World({ plan: cluster, seed, order });
  for (const { moment, action } of events.events) {
    const { at, when, after = 0 } = moment;
    if (at !== undefined) world.timeline.after(at * 1000, () => perform(world, action));
    if (when !== undefined)
      world.log.once(when, () => {
        const { heals } = world;
        // What is healed meanwhile is not to be broken after all.
        world.timeline.after(after * 1000, () => {
          if (world.heals === heals) perform(world, action);
        });
      });
  }
  const broken = await play(world, events);
  const failures = broken === undefined ? unmet(world, events.finally) : [broken.message];
  const failure = broken?.invariant ?? failures[0]?.replace(/.*, but /, 'in the end ');
  const log = [...world.log.lines];
  world.end();
  return { log, failures, failure };
}

/** @returns the promise that was broken, if one was */
async function play(world: World, events: Scenario['events']): Promise<InvariantBroken | undefined> {
  try {
    await untilOver(world, events);
    return undefined;
  } catch (error) {
    if (error instanceof InvariantBroken) return error;
    throw error;
  }
}

async function untilOver(world: World, { runFor, settledFrom, finally: expected }: Scenario['events']): Promise<void> {
  const endMs = runFor * 1000;
  let lookMs = settledFrom === undefined ? endMs : settledFrom * 1000;
  let settledSinceMs: number | undefined;
  while (lookMs < endMs) {
    await world.run(lookMs);
    settledSinceMs = unmet(world, expected).length > 0 ? undefined : (settledSinceMs ?? lookMs);
    if (settledSinceMs !== undefined && lookMs - settledSinceMs >= SETTLED_MS) return;
    lookMs += LOOK_MS;
  }
  await world.run(endMs);
}
