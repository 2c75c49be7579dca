import { spawn } from 'node:child_process';

/** Why a tool gave no result. `Hung`: it was killed and is still there, as a process is that waits for a dead NFS server. */
export type ToolFailure = 'NotInstalled' | 'Failed' | 'TimedOut' | 'Aborted' | 'Hung';

export interface ToolLimits {
  /** RLIMIT_AS, in bytes. */
  addressSpaceBytes: number;
  /** RLIMIT_CPU, in seconds. */
  cpuSeconds: number;
}

export interface ToolCall {
  command: string;
  args: readonly string[];
  /** Wall-clock time after which the tool is killed. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** Absent: none. */
  limits?: ToolLimits | undefined;
  /** Told what the tool prints on stdout as it comes; it is then not collected. */
  onOutput?: ((text: string) => void) | undefined;
}

export interface ToolOutput {
  stdout: string;
  stderr: string;
}

/** A tool of the host that gave no result: which one, with which arguments, why, and what it said. */
export class ToolError extends Error {
  readonly failure: ToolFailure;
  /** What the tool printed on stderr, without the newline at its end. */
  readonly stderr: string;

  constructor(call: ToolCall, failure: ToolFailure, why: string, stderr: string, cause?: unknown) {
    super(`${call.command} ${call.args.join(' ')}: ${why}`, cause === undefined ? undefined : { cause });
    this.name = 'ToolError';
    this.failure = failure;
    this.stderr = stderr.trimEnd();
  }
}

/** More than any tool we call prints; a tool that floods us is killed. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
/** How long a killed process may take to go before it counts as hung in the kernel. */
const KILL_GRACE_MS = 3_000;
/** Exit status of setpriv and prlimit when the program itself is not there. */
const NOT_FOUND_STATUS = 127;

/**
 * Runs a tool to its end. It gets no shell, no input and C locale, and dies with the agent (PR_SET_PDEATHSIG), so that
 * a killed agent leaves nothing behind that still writes.
 * @throws ToolError
 */
export async function runTool(call: ToolCall): Promise<ToolOutput> {
  if (call.signal?.aborted)
    throw new ToolError(call, 'Aborted', 'not started: its caller gave up', '', call.signal.reason);
  const [command = '', ...args] = wrapped(call);
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
  });

  return await new Promise<ToolOutput>((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    let killedFor: { failure: ToolFailure; why: string } | undefined;
    let hangTimer: NodeJS.Timeout | undefined;

    const kill = (failure: ToolFailure, why: string): void => {
      if (killedFor) return;
      killedFor = { failure, why };
      child.kill('SIGKILL');
      hangTimer = setTimeout(() => {
        settle();
        child.unref();
        reject(new ToolError(call, 'Hung', `${why}, and it does not end: it hangs in the kernel`, stderr));
      }, KILL_GRACE_MS);
    };
    const onAbort = (): void => kill('Aborted', 'stopped: its caller gave up');
    const timeout = setTimeout(() => kill('TimedOut', `took longer than ${call.timeoutMs / 1000} s`), call.timeoutMs);
    const settle = (): void => {
      clearTimeout(timeout);
      clearTimeout(hangTimer);
      call.signal?.removeEventListener('abort', onAbort);
    };

    call.signal?.addEventListener('abort', onAbort, { once: true });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (call.onOutput) call.onOutput(text);
      else stdout += text;
      if (stdout.length > MAX_OUTPUT_BYTES) kill('Failed', `printed more than ${MAX_OUTPUT_BYTES} bytes`);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-MAX_OUTPUT_BYTES);
    });
    child.once('error', (cause) => {
      settle();
      reject(new ToolError(call, 'NotInstalled', `cannot be started: ${cause.message}`, stderr, cause));
    });
    child.once('close', (status, signal) => {
      settle();
      if (killedFor) reject(new ToolError(call, killedFor.failure, killedFor.why, stderr));
      else if (status === 0) resolve({ stdout, stderr });
      else reject(failed(call, status, signal, stderr));
    });
  });
}

/** setpriv and prlimit are part of util-linux, which every host has. */
function wrapped({ command, args, limits }: ToolCall): string[] {
  const limited =
    limits === undefined
      ? []
      : ['prlimit', `--as=${limits.addressSpaceBytes}`, `--cpu=${Math.ceil(limits.cpuSeconds)}`, '--core=0', '--'];
  return ['setpriv', '--pdeathsig', 'KILL', '--', ...limited, command, ...args];
}

function failed(call: ToolCall, status: number | null, signal: string | null, stderr: string): ToolError {
  const said = stderr.trim() || 'it said nothing';
  if (status === NOT_FOUND_STATUS) {
    return new ToolError(call, 'NotInstalled', `not found on this host; install it (${said})`, stderr);
  }
  return new ToolError(
    call,
    'Failed',
    `${status === null ? `killed by ${signal}` : `status ${status}`}: ${said}`,
    stderr,
  );
}
