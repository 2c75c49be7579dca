import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { bootId, environmentOf, factsOf, isDead, livingProcesses, parseStat, signalProcess } from './proc.ts';
import { waitFor } from './wait.ts';

/**
 * Which processes did this lab start, and which of them still run?
 *
 * Each process is the leader of its own session and has two files in the lab's `processes/` folder, both written before
 * its program runs: so a lab that dies at any moment leaves nothing unrecorded.
 */
export interface ProcessSpec {
  /** Unique in the lab; names the record and the log. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the lab's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export type ProcessRecord = z.infer<typeof recordSchema> & {
  readonly pid: number;
  readonly startTicks: number;
};

/** Starts the program of its arguments again whenever it ends. */
export const KEEP_RUNNING = join(import.meta.dirname, 'keep-running.sh');

export interface StopOptions {
  /** How long the process may take to end by itself after SIGTERM, in ms; 0 kills at once. */
  readonly graceMs?: number;
}

const recordSchema = z.object({
  name: z.string(),
  command: z.string(),
  args: z.array(z.string()),
  logFile: z.string(),
  bootId: z.string(),
  startedAt: z.iso.datetime(),
});

/** The shell writes down who it is and then becomes the program: same pid, same start time. */
const RECORD_THEN_EXEC = 'read -r stat </proc/$$/stat && printf "%s\\n" "$stat" >"$0" && exec "$@"';
/** Stands in the environment of the process and of what it starts: tells its orphans from strangers. */
const MARK = 'DROVER_LAB_PROCESS';
const KILL_TIMEOUT_MS = 10_000;

/** Starts a process that outlives the caller, unless one of that name runs already: then that one is returned. */
export async function startProcess(labFolder: string, spec: ProcessSpec): Promise<ProcessRecord> {
  const running = findProcess(labFolder, spec.name);
  if (running && isRunning(running)) return running;

  const paths = pathsOf(labFolder, spec.name);
  for (const file of Object.values(paths)) mkdirSync(dirname(file), { recursive: true });
  rmSync(paths.stat, { force: true });
  const record: z.infer<typeof recordSchema> = {
    name: spec.name,
    command: spec.command,
    args: [...spec.args],
    logFile: paths.log,
    bootId: bootId(),
    startedAt: new Date().toISOString(),
  };
  writeFileSync(paths.record, `${JSON.stringify(record, undefined, 2)}\n`);

  const log = openSync(paths.log, 'a');
  const child = spawn('/bin/sh', ['-c', RECORD_THEN_EXEC, paths.stat, spec.command, ...spec.args], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...ownEnvironment(), ...spec.env, [MARK]: paths.record },
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
  });
  closeSync(log);
  const failure = new Promise<never>((_, reject) => child.once('error', reject));
  child.unref();
  const started = waitFor(
    `${spec.name} to start`,
    () => {
      const found = findProcess(labFolder, spec.name);
      return found ? { ready: true, value: found } : { ready: false, because: 'it has not said its process id' };
    },
    { timeoutMs: 20_000, intervalMs: 2 },
  );
  return await Promise.race([started, failure]);
}

/** Whose kubeconfig the user of the lab works with is no matter of the lab's programs: they have identities of their own. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const { KUBECONFIG: _, ...rest } = process.env;
  return rest;
}

/** @returns undefined when the lab started no process of this name, or stopped it. */
export function findProcess(labFolder: string, name: string): ProcessRecord | undefined {
  const paths = pathsOf(labFolder, name);
  if (!existsSync(paths.record) || !existsSync(paths.stat)) return undefined;
  const stat = readFileSync(paths.stat, 'utf8');
  if (!stat.endsWith('\n')) return undefined;
  const { pid, startTicks } = parseStat(stat);
  return { ...recordSchema.parse(JSON.parse(readFileSync(paths.record, 'utf8'))), pid, startTicks };
}

export function listProcesses(labFolder: string): ProcessRecord[] {
  const folder = join(labFolder, 'processes');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort()
    .map((name) => findProcess(labFolder, name))
    .filter((record) => record !== undefined);
}

/** False once the process has ended, also when its pid is another process by now. */
export function isRunning(record: ProcessRecord): boolean {
  if (record.bootId !== bootId()) return false;
  const facts = factsOf(record.pid);
  return facts !== undefined && facts.startTicks === record.startTicks && !isDead(facts);
}

/**
 * Stops the process and whatever it left in its session, and forgets it. Does nothing when there is no such process.
 * @throws when a process survives even SIGKILL, as one stuck in the kernel does.
 */
export async function stopProcess(labFolder: string, name: string, options: StopOptions = {}): Promise<void> {
  const record = findProcess(labFolder, name);
  if (record) {
    const { graceMs = 5_000 } = options;
    if (graceMs === 0 || !(await ended(record, 'SIGTERM', graceMs))) {
      if (!(await ended(record, 'SIGKILL', KILL_TIMEOUT_MS))) {
        throw new Error(
          `Process ${record.pid} (${name}: ${record.command}) does not end, not even after SIGKILL. ` +
            `It hangs in the kernel: see /proc/${record.pid}/stack, then run "make lab-down" again.`,
        );
      }
    }
  }
  forget(labFolder, name);
}

/**
 * Stops everything the lab has a record of, in no particular order, and then kills whatever else it started: what left
 * its session, or whose record somebody deleted.
 */
export async function stopAllProcesses(labFolder: string, options: StopOptions = {}): Promise<void> {
  const results = await Promise.allSettled(
    listProcesses(labFolder).map((record) => stopProcess(labFolder, record.name, options)),
  );
  const failures = results.filter((result) => result.status === 'rejected').map((result) => result.reason);
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('\n'));
  const mark = `${MARK}=${join(labFolder, 'processes')}/`;
  for (const { pid } of livingProcesses()) {
    if (environmentOf(pid).some((variable) => variable.startsWith(mark))) signalProcess(pid, 'SIGKILL');
  }
}

/** The end of a process's log, for messages that must say why it failed. */
export function logTail(record: { readonly logFile: string }, lineCount = 15): string {
  if (!existsSync(record.logFile)) return '';
  return readFileSync(record.logFile, 'utf8').trimEnd().split('\n').slice(-lineCount).join('\n');
}

async function ended(record: ProcessRecord, signal: NodeJS.Signals, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (const pid of survivors(record)) signalProcess(pid, signal);
  while (survivors(record).length > 0) {
    if (performance.now() > deadline) return false;
    if (signal === 'SIGKILL') for (const pid of survivors(record)) signalProcess(pid, signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/**
 * The living processes of the record's session. While the leader lives its session is its own. Once it is gone, its pid
 * may have gone to a stranger, whose session is told from the leader's orphans by the mark in the environment.
 */
function survivors(record: ProcessRecord): number[] {
  if (record.bootId !== bootId()) return [];
  const mark = `${MARK}=${pathsOf(dirname(dirname(record.logFile)), record.name).record}`;
  const led = isRunning(record);
  return (
    livingProcesses()
      .filter((facts) => facts.sessionId === record.pid)
      // One that is ending has no environment any more. A host's first process waits so until all others of the host have ended.
      .filter(({ pid, virtualBytes }) => led || virtualBytes === 0 || environmentOf(pid).includes(mark))
      .map(({ pid }) => pid)
  );
}

function forget(labFolder: string, name: string): void {
  const { record, stat } = pathsOf(labFolder, name);
  rmSync(stat, { force: true });
  rmSync(record, { force: true });
}

function pathsOf(labFolder: string, name: string): { record: string; stat: string; log: string } {
  return {
    record: join(labFolder, 'processes', `${name}.json`),
    stat: join(labFolder, 'processes', `${name}.stat`),
    log: join(labFolder, 'logs', `${name}.log`),
  };
}
