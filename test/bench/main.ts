import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchInformer } from './informer/informer.ts';
import { benchLibvirt } from './libvirt/bench.ts';
import { benchPlacement } from './placement/placement.ts';
import { RESULTS_FOLDER, readResults } from './results.ts';
import type { BenchRow } from './row.ts';
import { renderDocument, renderTable } from './table.ts';
import { benchCost, benchFailover, benchMigration, benchStart } from './vms/vms.ts';

/** Every group of rows, by the name that picks it on the command line. */
const GROUPS: Readonly<Record<string, () => Promise<BenchRow[]>>> = {
  libvirt: benchLibvirt,
  informer: () => benchInformer(),
  placement: benchPlacement,
  migration: benchMigration,
  ha: () => benchFailover(),
  start: benchStart,
  cost: benchCost,
};

async function main(): Promise<void> {
  const { values, positionals: picked } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
  const unknown = picked.filter((name) => GROUPS[name] === undefined);
  if (unknown.length > 0) {
    throw new Error(`There is no bench "${unknown.join('", "')}". There are: ${Object.keys(GROUPS).join(', ')}.`);
  }
  if (values.only !== undefined) return await measurePart(picked, values.only);
  for (const [name, measure] of Object.entries(GROUPS)) {
    if (picked.length > 0 && !picked.includes(name)) continue;
    process.stdout.write(`\n== ${name}\n`);
    const rows = await measure();
    process.stdout.write(`${renderTable(rows)}\n`);
    mkdirSync(RESULTS_FOLDER, { recursive: true });
    writeFileSync(join(RESULTS_FOLDER, `${name}.json`), `${JSON.stringify(rows, undefined, 2)}\n`);
  }
  const document = join(import.meta.dirname, '..', '..', 'docs', 'benchmarks.md');
  writeFileSync(document, renderDocument(readFileSync(document, 'utf8'), readResults()));
}

/** One part of one group, by a piece of its name. It is printed, and takes no place among the results, which are of whole groups. */
async function measurePart(picked: readonly string[], only: string): Promise<void> {
  if (picked.join() !== 'ha') throw new Error('--only picks a part of one bench that has some: ha.');
  process.stdout.write(`${renderTable(await benchFailover(only))}\n`);
}

await main();
