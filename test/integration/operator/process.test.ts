import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { Line } from '../kube/line.ts';
import { World } from './world.ts';

const PROGRAM = join(import.meta.dirname, '../../../src/bin/operator.ts');

let world: World;

beforeAll(async () => {
  world = await World.open('operator-process');
  await world.addHost('one');
}, 120_000);
afterAll(async () => await world.close());

/** The operator as a process of its own, over a line to the API server that can go dead. */
async function startProcess() {
  const folder = mkdtempSync(join(tmpdir(), 'drover-operator-'));
  const text = readFileSync(world.controlPlane.kubeconfig, 'utf8');
  const server = /https:\/\/([\d.]+):(\d+)/.exec(text);
  if (server === null) throw new Error('the kubeconfig names no server');
  const line = new Line({ host: server[1] ?? '', port: Number(server[2]) });
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, text.replace(server[0], `https://127.0.0.1:${await line.listen()}`), { mode: 0o600 });
  const child = spawn(process.execPath, [PROGRAM, '--kubeconfig', kubeconfig, '--lease-duration', '3'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const log: string[] = [];
  createInterface({ input: child.stdout }).on('line', (entry) => log.push(entry));
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    await line.close();
    rmSync(folder, { recursive: true });
  });
  return { line, log, child, ended };
}

it('ends when it has lost the lead, with events that it could not write', async () => {
  const { line, log, ended } = await startProcess();
  await world.addVM('before');
  await world.instanceWhen('before', 'to be made');
  for (let index = 0; index < 10; index += 1) await world.addVM(`during-${index}`);
  line.silence();
  const [code] = await ended;
  expect(code).toBe(1);
  expect(log.some((entry) => entry.includes('lost-leadership'))).toBe(true);
}, 60_000);

it('ends in good order when it is asked to', async () => {
  const { child, ended } = await startProcess();
  await world.addVM('another');
  await world.instanceWhen('another', 'to be made');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
}, 60_000);
