import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { takeDown } from '../lab/down.ts';
import { lines } from '../lab/report.ts';
import { bringUp } from '../lab/up.ts';

/** Instance of the lab that this suite has for itself. */
export const E2E_INSTANCE = 'e2e';
export const CHECKOUT = join(import.meta.dirname, '..', '..');

/** Brings up the lab that all tests of the suite share: three hosts, operator, agents. */
export default async function setup(_project: TestProject): Promise<() => Promise<void>> {
  const report = lines((text) => process.stdout.write(`${text}\n`));
  const down = () => takeDown(CHECKOUT, E2E_INSTANCE, report);
  // What a killed run has left would make this one's figures and counts untrue.
  await down();
  try {
    const lab = await bringUp({ checkout: CHECKOUT, instance: E2E_INSTANCE, hosts: 3, report });
    await lab.close();
  } catch (error) {
    await down();
    throw error;
  }
  return down;
}
