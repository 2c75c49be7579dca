import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { factsOf, isDead, livingProcesses, parseStat, signalProcess } from '../../lab/proc.ts';
import {
  findProcess,
  isRunning,
  listProcesses,
  logTail,
  startProcess,
  stopAllProcesses,
  stopProcess,
} from '../../lab/processes.ts';
import { waitUntilReady } from '../../lab/ready.ts';
import { waitFor } from '../../lab/wait.ts';

let lab: string;
beforeEach(() => {
  lab = mkdtempSync(join(tmpdir(), 'drover-processes-'));
});
afterEach(async () => {
  await stopAllProcesses(lab, { graceMs: 0 });
  rmSync(lab, { recursive: true, force: true });
});

const sleeper = { name: 'sleeper', command: 'sleep', args: ['600'] };
const shell = (name: string, script: string) => ({ name, command: 'sh', args: ['-c', script] });

function logSays(name: string, text: string): Promise<true> {
  return waitFor(
    `"${text}" in the log of ${name}`,
    () => {
      const log = logTail({ logFile: join(lab, 'logs', `${name}.log`) });
      return log.includes(text) ? { ready: true, value: true } : { ready: false, because: `it says "${log}"` };
    },
    { timeoutMs: 10_000, intervalMs: 10 },
  );
}

/** Until what starts now has a later start time than the process. */
function nextTickAfterStartOf(pid: number): Promise<true> {
  const startTicks = factsOf(pid)?.startTicks ?? 0;
  return waitFor(
    'the next tick of the clock',
    () => {
      // Seconds since boot, in hundredths: a tick each (proc_uptime(5), USER_HZ).
      const ticks = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 100;
      return ticks > startTicks + 1 ? { ready: true, value: true } : { ready: false, because: `it is ${ticks}` };
    },
    { timeoutMs: 10_000, intervalMs: 1 },
  );
}

function sessionOf(pid: number): number[] {
  return livingProcesses()
    .filter((facts) => facts.sessionId === pid)
    .map((facts) => facts.pid);
}

describe('a process of the lab', () => {
  it('runs in its own session, is found again by its record, and logs to its file', async () => {
    const record = await startProcess(lab, shell('talker', 'echo "hello $DROVER_LAB_PROCESS"; exec sleep 600'));
    expect(findProcess(lab, 'talker')).toEqual(record);
    expect(isRunning(record)).toBe(true);
    expect(factsOf(record.pid)?.sessionId).toBe(record.pid);
    await logSays('talker', `hello ${join(lab, 'processes', 'talker.json')}`);
  });

  it('is started once: a second start finds the first', async () => {
    const first = await startProcess(lab, sleeper);
    expect(await startProcess(lab, sleeper)).toEqual(first);
  });

  it('is gone after stop, and stop again does nothing', async () => {
    const record = await startProcess(lab, sleeper);
    await stopProcess(lab, 'sleeper');
    expect(isRunning(record)).toBe(false);
    expect(listProcesses(lab)).toEqual([]);
    await stopProcess(lab, 'sleeper');
  });

  it('may end by itself on SIGTERM, and is killed when it does not', async () => {
    const polite = await startProcess(
      lab,
      shell('polite', 'trap "echo bye; exit" TERM; echo up; while :; do sleep 0.05; done'),
    );
    const stubborn = await startProcess(lab, shell('stubborn', 'trap "" TERM; echo up; while :; do sleep 0.05; done'));
    await logSays('polite', 'up');
    await logSays('stubborn', 'up');
    await stopProcess(lab, 'polite');
    await stopProcess(lab, 'stubborn', { graceMs: 100 });
    expect(logTail(polite)).toContain('bye');
    expect(isRunning(stubborn)).toBe(false);
  });

  it('takes its children with it, also when it has died before them', async () => {
    const record = await startProcess(lab, shell('parent', 'sleep 600 & sleep 600 & echo up; wait'));
    await logSays('parent', 'up');
    signalProcess(record.pid, 'SIGKILL');
    await waitFor(
      'the parent to die',
      () => (isRunning(record) ? { ready: false, because: 'it runs' } : { ready: true, value: true }),
      { timeoutMs: 10_000, intervalMs: 5 },
    );
    expect(sessionOf(record.pid)).toHaveLength(2);
    await stopProcess(lab, 'parent');
    expect(sessionOf(record.pid)).toEqual([]);
  });

  it('is never confused with a stranger that got its pid', async () => {
    const stranger = spawn('sleep', ['600'], { detached: true });
    const pid = stranger.pid ?? 0;
    try {
      // The kernel never gives a pid anew within one tick of its clock; what starts in one has the same start time.
      await nextTickAfterStartOf(pid);
      const record = await startProcess(lab, sleeper);
      signalProcess(record.pid, 'SIGKILL');
      const statFile = join(lab, 'processes', 'sleeper.stat');
      writeFileSync(statFile, readFileSync(statFile, 'utf8').replace(/^\d+/, String(pid)));
      const mistaken = findProcess(lab, 'sleeper');
      expect(mistaken?.pid).toBe(pid);
      expect(mistaken && isRunning(mistaken)).toBe(false);
      await stopProcess(lab, 'sleeper');
      expect(factsOf(pid)?.state).toMatch(/[RS]/);
    } finally {
      signalProcess(pid, 'SIGKILL');
    }
  });

  it('of an earlier boot is not running, whatever has its pid now', async () => {
    const record = await startProcess(lab, sleeper);
    expect(isRunning({ ...record, bootId: '00000000-0000-0000-0000-000000000000' })).toBe(false);
  });

  it('is stopped by the next lab when the one that started it was killed', async () => {
    const script = `
      import { startProcess } from ${JSON.stringify(join(import.meta.dirname, '../../lab/processes.ts'))};
      await startProcess(${JSON.stringify(lab)}, { name: 'orphan', command: 'sleep', args: ['600'] });
      process.kill(process.pid, 'SIGKILL');`;
    expect(() => execFileSync(process.execPath, ['--input-type=module', '-e', script])).toThrow('SIGKILL');
    const [orphan] = listProcesses(lab);
    expect(orphan && isRunning(orphan)).toBe(true);
    await stopAllProcesses(lab);
    expect(orphan && isRunning(orphan)).toBe(false);
  });

  it('is found and killed when its record was deleted', async () => {
    const record = await startProcess(lab, sleeper);
    rmSync(join(lab, 'processes'), { recursive: true });
    await stopAllProcesses(lab);
    await waitFor(
      'the process to die',
      () => (isRunning(record) ? { ready: false, because: 'it runs' } : { ready: true, value: true }),
      { timeoutMs: 10_000, intervalMs: 5 },
    );
  });

  it('that ends instead of getting ready fails the wait with the end of its log', async () => {
    const record = await startProcess(lab, shell('broken', 'echo no such disk; exit 1'));
    const ready = waitUntilReady(record, () => ({ ready: false, because: 'not yet' }), { timeoutMs: 10_000 });
    await expect(ready).rejects.toThrow(/broken .*ended right after its start.*no such disk/s);
  });

  it('whose program does not exist says so in its log', async () => {
    const record = await startProcess(lab, { name: 'typo', command: 'no-such-program', args: [] });
    const ready = waitUntilReady(record, () => ({ ready: false, because: 'not yet' }), { timeoutMs: 10_000 });
    await expect(ready).rejects.toThrow(/no-such-program: not found/);
  });
});

describe('the kernel line of a process', () => {
  it('tells a dead process from one whose other threads still hold its files and ports', () => {
    const facts = { pid: 1, state: 'Z', parentPid: 1, sessionId: 1, startTicks: 1, virtualBytes: 0 };
    expect(isDead({ ...facts, threadCount: 1 })).toBe(true);
    expect(isDead({ ...facts, threadCount: 3 })).toBe(false);
    expect(isDead({ ...facts, state: 'S', threadCount: 1 })).toBe(false);
  });

  it('is read right when the program name holds spaces and parentheses', () => {
    const stat = `42 (a) S (b)) R 7 42 43 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 9 0 987654 4096 0`;
    expect(parseStat(stat)).toEqual({
      pid: 42,
      state: 'R',
      parentPid: 7,
      sessionId: 43,
      threadCount: 9,
      startTicks: 987_654,
      virtualBytes: 4096,
    });
  });
});
