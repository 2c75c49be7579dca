import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { Lab } from '../../lab/lab.ts';
import { AGENT_HTTP_PORT } from '../../lab/product.ts';
import type { Report } from '../../lab/report.ts';
import type { BenchRow } from '../row.ts';
import { Fleet } from './fleet.ts';
import { row } from './start.ts';

const COUNTS = [0, 100, 300] as const;
const WINDOW_MS = 20_000;
const MIB = 2 ** 20;

interface Cost {
  readonly memoryMiB: number;
  /** Share of one core. */
  readonly cpuPercent: number;
}

interface Sample {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}

/** Memory and CPU of operator and agents while VMs run and nothing changes. */
export async function costRows(lab: Lab, report: Report): Promise<BenchRow[]> {
  const fleet = new Fleet(lab);
  const costs: { count: number; operator: Cost; agents: Cost }[] = [];
  let running = 0;
  try {
    for (const count of COUNTS) {
      await report.step(`${count} VMs`, async () => {
        if (count > running) await fleet.start(`n${count}`, count - running);
        running = count;
        costs.push({ count, ...(await measure(lab)) });
      });
    }
    await fleet.remove();
  } finally {
    await fleet.client.close();
  }
  const [none] = costs;
  const most = costs.at(-1);
  const rows = costs.flatMap(({ count, operator, agents }) => [
    row(`operator, ${count} VMs: memory`, 'MiB', operator.memoryMiB),
    row(`operator, ${count} VMs: CPU`, '% of a core', operator.cpuPercent),
    row(`three agents, ${count} VMs: memory`, 'MiB', agents.memoryMiB),
    row(`three agents, ${count} VMs: CPU`, '% of a core', agents.cpuPercent),
  ]);
  if (none === undefined || most === undefined) return rows;
  const grown = most.operator.memoryMiB + most.agents.memoryMiB - none.operator.memoryMiB - none.agents.memoryMiB;
  const perVM = grown / most.count;
  return [...rows, row('operator and agents: memory for each VM', 'MiB', perVM, null, null, '≤ 1', perVM <= 1)];
}

async function measure(lab: Lab): Promise<{ operator: Cost; agents: Cost }> {
  const urls = [
    `http://127.0.0.1:${lab.identity.ports.operator}/metrics`,
    ...lab.hosts.map(({ address }) => `http://${address}:${AGENT_HTTP_PORT}/metrics`),
  ];
  const before = await Promise.all(urls.map(sample));
  await sleep(WINDOW_MS);
  const after = await Promise.all(urls.map(sample));
  const costs = after.map((now, index): Cost => {
    const spent = now.cpuSeconds - (before[index]?.cpuSeconds ?? 0);
    return { memoryMiB: now.residentBytes / MIB, cpuPercent: (spent / (WINDOW_MS / 1000)) * 100 };
  });
  const [operator = { memoryMiB: 0, cpuPercent: 0 }, ...agents] = costs;
  const sum = (pick: (cost: Cost) => number) => agents.reduce((total, cost) => total + pick(cost), 0);
  return {
    operator,
    agents: { memoryMiB: sum(({ memoryMiB }) => memoryMiB), cpuPercent: sum(({ cpuPercent }) => cpuPercent) },
  };
}

async function sample(url: string): Promise<Sample> {
  const text = await (await request(url)).body.text();
  const value = (name: string): number => {
    const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    if (found === undefined) throw new Error(`${url} has no metric ${name}`);
    return Number(found);
  };
  return {
    residentBytes: value('process_resident_memory_bytes'),
    cpuSeconds: value('process_cpu_seconds_total'),
  };
}
