import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeScenario } from '../scenario/scenario.ts';
import { playSeeds } from './pool.ts';
import { runSeed, scenarioOf } from './run-seed.ts';
import { shrink } from './shrink.ts';
import type { RunResult } from './worker.ts';

/**
 * Looks for what breaks a promise: `npm run sim:explore -- --runs 10000 --seed 1`. Each run is a random cluster to which
 * random things happen; a seed that fails is printed, and the first of each kind of failure made small and written as a
 * scenario. `--runs 1 --seed <n> --log` shows one run. Seeds from 1000000 on have high availability by BMCs, those from 2000000 on by
 * leases on storage.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    /** Where scenarios of failures are written. */
    out: { type: 'string', default: join('.lab', 'simulation') },
    log: { type: 'boolean', default: false },
  },
});

/** More failures of one run than these tell nothing new. */
const SHOWN_FAILURES = 20;
const PROGRESS_EVERY = 1_000;

async function main(): Promise<void> {
  const [runs, first, workers] = [Number(values.runs), Number(values.seed), Number(values.workers)];
  if (values.log) return await showRun(first);
  const startedMs = performance.now();
  let shown = 0;
  const failed = await playSeeds([{ first, runs }], {
    workers: Math.min(workers, runs),
    onRun: ({ seed, failure, failures }, count) => {
      if (failure !== undefined && shown++ < SHOWN_FAILURES) say(`seed ${seed}: ${failures.slice(0, 3).join('; ')}`);
      if (count % PROGRESS_EVERY === 0) say(`${count} runs`);
    },
  });
  const seconds = (performance.now() - startedMs) / 1000;
  const rate = runs / seconds;
  say(
    `${runs} runs in ${seconds.toFixed(1)} s: ${rate.toFixed(1)} per second, ${(rate / workers).toFixed(1)} per core; ${failed.length} failed`,
  );
  const kinds = new Map(failed.map((result) => [result.failure ?? '', result] as const).toReversed());
  for (const result of kinds.values()) await writeDown(result);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

async function writeDown({ seed, failure = '' }: RunResult): Promise<void> {
  say(`making seed ${seed} smaller (${failure})`);
  const small = await shrink({ scenario: scenarioOf(seed), seed }, failure);
  const folder = join(values.out, `seed-${seed}`);
  const scenario = { ...small.scenario, events: { ...small.scenario.events, seed: small.seed } };
  writeScenario(folder, scenario, `# Found by seed ${seed}\n\n${failure}\n`);
  say(
    `written to ${folder}: ${(scenario.events.events ?? []).length} events, ${scenario.cluster.hosts.length} hosts, ${(scenario.cluster.vms ?? []).length} VMs`,
  );
}

async function showRun(seed: number): Promise<void> {
  const { log, failures } = await runSeed(seed);
  for (const line of [...log, ...failures]) say(line);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
