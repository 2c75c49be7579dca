import { join } from 'node:path';
import { takeDown } from '../../lab/down.ts';
import { lines } from '../../lab/report.ts';
import { bringUp } from '../../lab/up.ts';
import type { BenchRow } from '../row.ts';
import { costRows } from './cost.ts';
import { startRows } from './start.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const INSTANCE = 'bench-vms';

/** What a VM costs from apply to Running, and while it runs, in a lab of three hosts of its own. */
export async function benchVMs(): Promise<BenchRow[]> {
  const report = lines((text) => process.stdout.write(`${text}\n`));
  await takeDown(CHECKOUT, INSTANCE, report);
  try {
    const lab = await bringUp({ checkout: CHECKOUT, instance: INSTANCE, hosts: 3, report });
    try {
      return [...(await startRows(lab, report)), ...(await costRows(lab, report))];
    } finally {
      await lab.close();
    }
  } finally {
    await takeDown(CHECKOUT, INSTANCE, report);
  }
}
