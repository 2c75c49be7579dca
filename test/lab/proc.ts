import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel says about a process, from /proc/<pid>/stat (proc(5)). */
export interface ProcessFacts {
  readonly pid: number;
  /** 'R', 'S', 'D', 'Z', ... of its first thread. */
  readonly state: string;
  readonly threadCount: number;
  readonly parentPid: number;
  readonly sessionId: number;
  /** Clock ticks between boot and the start of the process: together with the pid it names one process for ever. */
  readonly startTicks: number;
  /** Size of its address space, in bytes. 0: it is ending and has given back its memory, or is the kernel's own. */
  readonly virtualBytes: number;
}

export function parseStat(stat: string): ProcessFacts {
  // The program's name stands in parentheses and may itself hold spaces and parentheses: fields follow the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    pid: Number.parseInt(stat, 10),
    state: fields[0] ?? '?',
    parentPid: Number(fields[1]),
    sessionId: Number(fields[3]),
    threadCount: Number(fields[17]),
    startTicks: Number(fields[19]),
    virtualBytes: Number(fields[20]),
  };
}

/** Undefined when there is no such process. */
export function factsOf(pid: number): ProcessFacts | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/**
 * A zombie is dead and waits for its parent to look; but while other threads of it are still ending, as after SIGKILL, the
 * process holds its files and ports.
 */
export function isDead(facts: ProcessFacts): boolean {
  return facts.state === 'Z' && facts.threadCount <= 1;
}

export function livingProcesses(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => factsOf(Number(name)))
    .filter((facts): facts is ProcessFacts => facts !== undefined && !isDead(facts));
}

/** The variables a process started with, as `NAME=value`; none when it is gone, or not ours to look into. */
export function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch (error) {
    if (isGone(error) || codeOf(error) === 'EACCES') return [];
    throw error;
  }
}

/** Changes with every boot of the machine: pids and start ticks of another boot mean nothing. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** @returns false when the process (or group, for a negative pid) is gone already. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH';
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
