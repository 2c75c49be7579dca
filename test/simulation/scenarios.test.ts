import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runScenario } from './scenario/run.ts';
import { readScenario } from './scenario/scenario.ts';

/**
 * Every folder of `scenarios/` is played in the order in which things are due, and its log compared with `expect.log`; then
 * in other orders of what is due together, in which the invariants and what is expected in the end have to hold as well.
 */
const FOLDER = join(import.meta.dirname, 'scenarios');
const UPDATE = process.env['DROVER_UPDATE_GOLDEN'] === '1';
const SEEDS = [1, 2, 3, 4, 5];

describe.each(readdirSync(FOLDER).sort())('%s', (name) => {
  const folder = join(FOLDER, name);
  const golden = join(folder, 'expect.log');
  const scenario = readScenario(folder);

  it('says what it is about', () => {
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toMatch(/^# .+\n\n.+/);
  });

  it('goes as its log says', async () => {
    const { log, failures } = await runScenario(scenario, { seed: 0, order: 'fixed' });
    expect(failures, log.join('\n')).toEqual([]);
    const text = `${log.join('\n')}\n`;
    if (UPDATE) writeFileSync(golden, text);
    expect(existsSync(golden), `${golden} is missing: look at the log, and write it with DROVER_UPDATE_GOLDEN=1`).toBe(
      true,
    );
    expect(text).toBe(readFileSync(golden, 'utf8'));
  });

  it.each([...SEEDS, ...(scenario.events.seed === undefined ? [] : [scenario.events.seed])])(
    'ends as expected in the order of seed %i',
    async (seed) => {
      const { log, failures } = await runScenario(scenario, { seed, order: 'random' });
      expect(failures, log.join('\n')).toEqual([]);
    },
  );
});
