import { rmSync } from 'node:fs';
import type { Lab } from '../../lab/lab.ts';
import type { Report } from '../../lab/report.ts';
import type { BenchRow } from '../row.ts';
import { createAll, destroyAll, domainFiles } from './bare.ts';
import { Fleet } from './fleet.ts';

const VMS = 100;
const ROUNDS = 3;

interface Round {
  readonly oursSeconds: readonly number[];
  readonly virshSeconds: number;
  readonly writesPerVM: number;
}

/** From `kubectl apply` to Running, beside `virsh create` of the very same domains in the same round. */
export async function startRows(lab: Lab, report: Report): Promise<BenchRow[]> {
  const fleet = new Fleet(lab);
  const rounds: Round[] = [];
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      rounds.push(await report.step(`round ${round} of ${ROUNDS}: ${VMS} VMs`, () => measureRound(lab, fleet, round)));
    }
  } finally {
    await fleet.client.close();
  }
  const ours = median(rounds.map(({ oursSeconds }) => oursSeconds.at(-1) ?? 0));
  const virsh = median(rounds.map(({ virshSeconds }) => virshSeconds));
  const ratio = median(rounds.map(({ oursSeconds, virshSeconds }) => (oursSeconds.at(-1) ?? 0) / virshSeconds));
  const writes = Math.max(...rounds.map(({ writesPerVM }) => writesPerVM));
  const percentile = (part: number) =>
    median(rounds.map(({ oursSeconds }) => oursSeconds[Math.ceil(oursSeconds.length * part) - 1] ?? 0));
  return [
    row(
      `${VMS} VMs, one kubectl apply to all Running, beside virsh create`,
      's',
      ours,
      virsh,
      ratio,
      '≤ 1.2×',
      ratio <= 1.2,
    ),
    row('the same, P50 per VM', 's', percentile(0.5)),
    row('the same, P95 per VM', 's', percentile(0.95)),
    row('API writes per VM to Running', 'writes', writes, null, null, '≤ 4', writes <= 4),
  ];
}

export function row(
  name: string,
  unit: string,
  ours: number,
  baseline: number | null = null,
  ratio: number | null = null,
  goal = '',
  holds: boolean | null = null,
): BenchRow {
  return { name, unit, ours, baseline, ratio, goal, holds };
}

async function measureRound(lab: Lab, fleet: Fleet, round: number): Promise<Round> {
  const before = await writesServed(lab);
  const oursSeconds = await fleet.start(`r${round}`, VMS);
  // The user's own creations are no writes of ours.
  const writesPerVM = ((await writesServed(lab)) - before - VMS) / VMS;
  const files = await Promise.all(lab.hosts.map(domainFiles));
  await fleet.remove();
  const startMs = performance.now();
  await Promise.all(lab.hosts.map((host, index) => createAll(host, files[index] ?? [])));
  const virshSeconds = (performance.now() - startMs) / 1000;
  await Promise.all(lab.hosts.map(destroyAll));
  for (const file of files.flat()) rmSync(file);
  return { oursSeconds, virshSeconds, writesPerVM };
}

const WRITES =
  /^apiserver_request_total\{.*resource="(virtualmachines|virtualmachineinstances|events)".*verb="(POST|PUT|PATCH|APPLY|DELETE)".*\} (\S+)$/;

/** Writes that the API server has served: its own count. */
async function writesServed(lab: Lab): Promise<number> {
  const metrics = await lab.kubectl(['get', '--raw', '/metrics']);
  return metrics.split('\n').reduce((sum, line) => sum + Number(WRITES.exec(line)?.[3] ?? 0), 0);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
