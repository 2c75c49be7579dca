import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod';
import { ClusterPlan } from '../world/plan.ts';
import { Action } from './actions.ts';
import { Expectations } from './expectations.ts';

const Timed = z.looseObject({ at: z.number().min(0) }).transform(({ at, ...action }, context) => {
  const parsed = Action.safeParse(action);
  if (parsed.success) return { at, action: parsed.data };
  context.addIssue({ code: 'custom', message: `${JSON.stringify(action)}: ${z.prettifyError(parsed.error)}` });
  return z.NEVER;
});

/** The content of `events.yaml`; times in seconds since the beginning. */
export const Events = z.strictObject({
  runFor: z.number().positive(),
  events: z.array(Timed).default([]),
  finally: Expectations.default({}),
});

/** A world, what happens to it, and what is to come of it. */
export interface Scenario {
  readonly cluster: ClusterPlan;
  readonly events: z.output<typeof Events>;
}

/** Reads the folder of a scenario. @throws Error that names the file and the field at fault */
export function readScenario(folder: string): Scenario {
  return {
    cluster: read(join(folder, 'cluster.yaml'), ClusterPlan),
    events: read(join(folder, 'events.yaml'), Events),
  };
}

function read<T extends z.ZodType>(path: string, schema: T): z.output<T> {
  const parsed = schema.safeParse(parse(readFileSync(path, 'utf8')));
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
