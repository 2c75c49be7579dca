import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { instancesOf, takeDown } from '../../lab/down.ts';
import { identityOf } from '../../lab/identity.ts';
import { openLab } from '../../lab/lab.ts';
import { environmentOf, livingProcesses } from '../../lab/proc.ts';
import { findProcess, listProcesses } from '../../lab/processes.ts';
import { silent } from '../../lab/report.ts';
import { describeStatus } from '../../lab/status.ts';
import { bringUp } from '../../lab/up.ts';
import { waitFor } from '../../lab/wait.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const INSTANCE = `it-${process.pid}-whole`;
const UP_TIMEOUT_MS = 180_000;
const { tag, folder } = identityOf(CHECKOUT, INSTANCE, 0);

afterEach(() => takeDown(CHECKOUT, INSTANCE, silent));

/** What of the lab is on this machine: nothing, after down. */
function traces(): string[] {
  const claims = '/run/lock/drover-lab';
  return [
    ...livingProcesses()
      .filter(({ pid }) => environmentOf(pid).some((variable) => variable.includes(folder)))
      .map(({ pid }) => `process ${pid}`),
    ...readdirSync('/sys/class/net').filter((name) => name.includes(tag)),
    ...readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((mount) => mount.includes(folder) || mount.includes(tag)),
    ...readdirSync(claims).filter((slot) => readFileSync(join(claims, slot), 'utf8').trim() === folder),
    ...[folder, `/run/drover-lab/${tag}`].filter(existsSync),
  ];
}

const up = () => bringUp({ checkout: CHECKOUT, instance: INSTANCE, hosts: 1, report: silent });
const pids = () => Object.fromEntries(listProcesses(folder).map(({ name, pid }) => [name, pid]));

describe('a whole lab', () => {
  it('comes up, is completed by a second up that touches nothing else, and leaves nothing behind', {
    timeout: UP_TIMEOUT_MS,
  }, async () => {
    const first = await up();
    await first.close();
    const before = pids();
    expect(Object.keys(before)).toEqual([
      'bmc.host-1',
      'bmc.power-board',
      'credentials-keeper',
      'etcd',
      'host-1',
      'host-1.agent',
      'host-1.libvirtd',
      'kube-apiserver',
      'kube-controller-manager',
      'operator',
    ]);

    await first.killHost('host-1');
    expect((await describeStatus(first)).join('\n')).toMatch(/host-1 +off +up .* stopped +stopped +-/);
    const second = await up();
    await second.close();
    const after = pids();
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const name of [
      'bmc.host-1',
      'bmc.power-board',
      'etcd',
      'kube-apiserver',
      'kube-controller-manager',
      'operator',
      'credentials-keeper',
    ]) {
      expect([name, after[name]]).toEqual([name, before[name]]);
    }
    expect(after['host-1']).not.toBe(before['host-1']);

    expect(traces()).not.toEqual([]);
    await takeDown(CHECKOUT, INSTANCE, silent);
    expect(traces()).toEqual([]);
    await takeDown(CHECKOUT, INSTANCE, silent);
  });

  it('leaves nothing behind when it was killed while it came up', { timeout: UP_TIMEOUT_MS }, async () => {
    const cli = join(CHECKOUT, 'test', 'lab', 'cli.ts');
    const lab = spawn(process.execPath, [cli, '--instance', INSTANCE, 'up', '--hosts', '2'], { stdio: 'ignore' });
    const ended = once(lab, 'exit');
    await waitFor(
      'the first host to start',
      () => (findProcess(folder, 'host-1') ? { ready: true, value: true } : { ready: false, because: 'no record' }),
      { timeoutMs: 120_000, intervalMs: 1 },
    );
    lab.kill('SIGKILL');
    await ended;
    expect(instancesOf(CHECKOUT)).toContain(INSTANCE);
    await takeDown(CHECKOUT, INSTANCE, silent);
    expect(traces()).toEqual([]);
  });

  it('that is down says how to bring it up', async () => {
    await expect(openLab(CHECKOUT, INSTANCE)).rejects.toThrow(/is not up.*make lab/);
  });
});
