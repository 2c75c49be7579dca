import { existsSync } from 'node:fs';
import { bmcOf, bmcStateOf } from './bmc/bmcs.ts';
import type { LabHost } from './host/lab-host.ts';
import type { Lab } from './lab.ts';
import { findProcess, isRunning, type ProcessRecord } from './processes.ts';
import { AGENT, OPERATOR } from './product.ts';
import { run } from './run.ts';

/** What of a lab runs? As lines for people. */
export async function describeStatus(lab: Lab): Promise<string[]> {
  const { identity, controlPlane } = lab;
  const servers = [controlPlane.etcd, controlPlane.apiServer, controlPlane.controllerManager]
    .filter((server) => server !== undefined)
    .map((server) => [server.name, stateOf(server.process)]);
  const operator = [OPERATOR, stateOf(findProcess(identity.folder, OPERATOR))];
  const hosts = await Promise.all(lab.hosts.map(describeHost));
  return [
    ...table([...servers, operator]),
    '',
    ...table([['HOST', 'POWER', 'NETWORK', 'ADDRESS', 'LIBVIRTD', 'AGENT', 'DOMAINS', 'BMC'], ...hosts]),
    '',
    `kubeconfig  ${identity.kubeconfig}`,
    `logs        ${identity.folder}/logs`,
  ];
}

async function describeHost(host: LabHost): Promise<string[]> {
  const power = host.hasPower();
  const libvirtd = host.libvirtdRuns();
  return [
    host.name,
    power ? 'on' : 'off',
    existsSync(host.files.cutMark) ? 'cut' : 'up',
    host.address,
    libvirtd ? 'runs' : 'stopped',
    stateOf(host.findProcess(AGENT)),
    libvirtd ? await countDomains(host) : '-',
    await describeBmc(host),
  ];
}

async function describeBmc({ lab, index }: LabHost): Promise<string> {
  const { type, address, port } = await bmcOf(lab, index);
  const state = { Answers: '', Unplugged: ', unplugged', Stopped: ', stopped' }[bmcStateOf(lab, index)];
  return `${type} ${address}:${port}${state}`;
}

async function countDomains(host: LabHost): Promise<string> {
  const names = await run('virsh', ['-c', host.libvirtUri, 'list', '--name']);
  return String(names.split('\n').filter(Boolean).length);
}

function stateOf(process: ProcessRecord | undefined): string {
  return process && isRunning(process) ? `runs (pid ${process.pid})` : 'stopped';
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
