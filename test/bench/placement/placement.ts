import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BenchRow } from '../row.ts';
import type { PlacementFigures } from './side.ts';

/** How fast is the placement engine on a big fleet? There is no other engine to stand beside: the goals are absolute. */
export async function benchPlacement(): Promise<BenchRow[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'side.ts')]);
  const figures: PlacementFigures = JSON.parse(stdout);
  if (figures.placed < 10_000) throw new Error(`only ${figures.placed} of 10,000 VMs found a host`);
  return [
    row('one placement on 1,000 hosts with 20,000 VMs, median', 'ms', figures.oneMs, 2),
    row('the same, with rule groups and its explanation, median', 'ms', figures.explainedMs, 2),
    row(
      'one placement with room kept for the failure of a host, 50 hosts with 1,000 VMs, CPU, median',
      'ms',
      figures.keptMs,
      5,
    ),
    row('how many of these hosts may fail, CPU, median', 'ms', figures.toleranceMs, 200),
    row('10,000 initial placements on 1,000 hosts', 's', figures.initialS, 10),
    row('largest memory of the process meanwhile', 'MiB', figures.peakMib, 300),
  ];
}

function row(name: string, unit: string, ours: number, most: number): BenchRow {
  return { name, unit, ours, baseline: null, ratio: null, goal: `≤ ${most} ${unit}`, holds: ours <= most };
}
