import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { BenchRow } from './row.ts';

/** Where each group of the last run stands as JSON. */
export const RESULTS_FOLDER = join(import.meta.dirname, '..', '..', '.lab', 'bench');

const rows = z.array(
  z.object({
    name: z.string(),
    unit: z.string(),
    ours: z.number(),
    baseline: z.number().nullable(),
    ratio: z.number().nullable(),
    goal: z.string(),
    holds: z.boolean().nullable(),
  }),
);

/** The rows of the last run of each group, groups by name. */
export function readResults(): Map<string, BenchRow[]> {
  if (!existsSync(RESULTS_FOLDER)) return new Map();
  const files = readdirSync(RESULTS_FOLDER).filter((file) => file.endsWith('.json'));
  return new Map(
    files
      .toSorted()
      .map((file) => [
        file.replace('.json', ''),
        rows.parse(JSON.parse(readFileSync(join(RESULTS_FOLDER, file), 'utf8'))),
      ]),
  );
}
