import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { takeDown } from '../lab/down.ts';
import { keepLogs } from '../lab/keep-logs.ts';
import { lines } from '../lab/report.ts';
import { findIdentity } from '../lab/slots.ts';
import { bringUp } from '../lab/up.ts';

/** Instance of the lab that this suite has for itself. */
export const E2E_INSTANCE = 'e2e';
export const CHECKOUT = join(import.meta.dirname, '..', '..');

/** What the programs of the lab wrote in the last run stays here. */
export const LOGS = join(CHECKOUT, '.lab', 'reports', `${E2E_INSTANCE}-logs`);

/** Brings up the lab that all tests of the suite share: three hosts, operator, agents. */
export default async function setup(_project: TestProject): Promise<() => Promise<void>> {
  const report = lines((text) => process.stdout.write(`${text}\n`));
  const down = () => takeDown(CHECKOUT, E2E_INSTANCE, report);
  // What a killed run has left would make this one's figures and counts untrue.
  await down();
  const keepLogsAndTakeDown = async () => {
    const lab = findIdentity(CHECKOUT, E2E_INSTANCE);
    if (lab !== undefined) keepLogs(lab, LOGS);
    await down();
  };
  try {
    const lab = await bringUp({ checkout: CHECKOUT, instance: E2E_INSTANCE, hosts: 3, report });
    await lab.close();
  } catch (error) {
    await keepLogsAndTakeDown();
    throw error;
  }
  return keepLogsAndTakeDown;
}
