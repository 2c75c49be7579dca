import { join } from 'node:path';
import { takeDown } from '../../lab/down.ts';
import type { Lab } from '../../lab/lab.ts';
import { lines, type Report } from '../../lab/report.ts';
import { bringUp } from '../../lab/up.ts';
import type { BenchRow } from '../row.ts';
import { costRows } from './cost.ts';
import { failoverRows } from './failover.ts';
import { migrationRows } from './migration.ts';
import { startRows } from './start.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const INSTANCE = 'bench-vms';

/** What a VM costs from apply to Running. */
export async function benchStart(): Promise<BenchRow[]> {
  return await inOwnLab(startRows);
}

/** What it costs to move VMs. */
export async function benchMigration(): Promise<BenchRow[]> {
  return await inOwnLab(migrationRows);
}

/** How long VMs of a dead host are away. @param only parts of whose names this is a piece; absent: all */
export async function benchFailover(only = ''): Promise<BenchRow[]> {
  return await inOwnLab((lab, report) => failoverRows(lab, report, CHECKOUT, only));
}

/** What VMs cost while they run and nothing happens. */
export async function benchCost(): Promise<BenchRow[]> {
  return await inOwnLab(costRows);
}

/** In a lab of three hosts that is there for this measurement alone. */
async function inOwnLab(measure: (lab: Lab, report: Report) => Promise<BenchRow[]>): Promise<BenchRow[]> {
  const report = lines((text) => process.stdout.write(`${text}\n`));
  await takeDown(CHECKOUT, INSTANCE, report);
  try {
    const lab = await bringUp({ checkout: CHECKOUT, instance: INSTANCE, hosts: 3, report });
    try {
      return await measure(lab, report);
    } finally {
      await lab.close();
    }
  } finally {
    await takeDown(CHECKOUT, INSTANCE, report);
  }
}
