import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { isJson } from '../api/field-set.ts';
import { ClusterPlan, type ClusterPlanInput } from '../world/plan.ts';
import { Action, type ActionInput } from './actions.ts';
import { Expectations } from './expectations.ts';

/** When an event happens: at a time, or a while after a line of the log says something for the first time. */
export interface Moment {
  /** Seconds since the beginning. */
  readonly at?: number;
  /** Part of a line of the log. */
  readonly when?: string;
  /** How long after that line, in seconds. Absent: at once. */
  readonly after?: number;
}

const Timed = z
  .custom<ActionInput & Moment>(isTimed, 'needs `at` (seconds), or `when` (part of a line of the log)')
  .transform(({ at, when, after, ...action }, context) => {
    const parsed = Action.safeParse(action);
    if (parsed.success) return { moment: { at, when, after }, action: parsed.data };
    context.addIssue({ code: 'custom', message: `${JSON.stringify(action)}: ${z.prettifyError(parsed.error)}` });
    return z.NEVER;
  });

function isTimed(value: unknown): boolean {
  if (!isJson(value)) return false;
  const { at, when, after } = value;
  if (at !== undefined) return typeof at === 'number' && at >= 0 && when === undefined;
  return typeof when === 'string' && (after === undefined || typeof after === 'number');
}

/** The content of `events.yaml`; times in seconds since the beginning. */
export const Events = z.strictObject({
  runFor: z.number().positive(),
  /** The run may end from then on, as soon as everything is as expected and stays so for a while. Absent: only at its end. */
  settledFrom: z.number().positive().optional(),
  /** Seed of a further order in which it is to be played. Absent: none. */
  seed: z.int().optional(),
  events: z.array(Timed).default([]),
  finally: Expectations.default({}),
});

/** A world, what happens to it, and what is to come of it. */
export interface Scenario {
  readonly cluster: ClusterPlan;
  readonly events: z.output<typeof Events>;
}

/** The same as it is written. */
export interface ScenarioInput {
  readonly cluster: ClusterPlanInput;
  readonly events: z.input<typeof Events>;
}

/** @throws Error when it is none */
export function parseScenario({ cluster, events }: ScenarioInput): Scenario {
  return { cluster: ClusterPlan.parse(cluster), events: Events.parse(events) };
}

/** Writes a scenario into a folder of its own. */
export function writeScenario(folder: string, { cluster, events }: ScenarioInput, readme: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'README.md'), readme);
  writeFileSync(join(folder, 'cluster.yaml'), stringify(cluster));
  writeFileSync(join(folder, 'events.yaml'), stringify(events));
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
