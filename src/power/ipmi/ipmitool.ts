import { execa } from 'execa';

/** Whom ipmitool talks to, and how long. */
export interface Ipmitool {
  address: string;
  port: number;
  username: string;
  password: string;
  cipherSuite?: number;
  timeoutMs: number;
}

export interface Printed {
  stdout: string;
  stderr: string;
}

export type IpmitoolOutput =
  /** It ran to its end, whatever came of it: what it printed tells. */
  ({ ended: 'Exited' } & Printed) | { ended: 'NotInstalled' | 'TimedOut' } | { ended: 'BrokenOff'; why: string };

/** Seconds that it waits for its first answer; one more for each time that it has sent the question again. */
const ANSWER_SECONDS = 1;
/** How often it sends each question: one packet may be lost. It needs 6 s to find out that nobody answers. */
const SENDS = 2;
const OUTPUT_MAX_BYTES = 64 * 1024;

/**
 * Runs one command. -v, since only then it says what is wrong with user and password. The password goes through
 * the environment, and never stands in arguments, which every user of the machine can read.
 * @throws the signal's reason when that is aborted.
 */
export async function runIpmitool(
  { address, port, username, password, cipherSuite, timeoutMs }: Ipmitool,
  command: readonly string[],
  signal: AbortSignal,
): Promise<IpmitoolOutput> {
  signal.throwIfAborted();
  const result = await execa(
    'ipmitool',
    [
      ...['-v', '-I', 'lanplus', '-H', address, '-p', `${port}`, '-U', username, '-E'],
      ...['-L', 'OPERATOR', '-N', `${ANSWER_SECONDS}`, '-R', `${SENDS}`],
      ...(cipherSuite === undefined ? [] : ['-C', `${cipherSuite}`]),
      ...command,
    ],
    {
      stdin: 'ignore',
      env: { PATH: process.env['PATH'], LC_ALL: 'C', IPMI_PASSWORD: password },
      extendEnv: false,
      reject: false,
      timeout: Math.ceil(timeoutMs),
      killSignal: 'SIGKILL',
      cancelSignal: signal,
      maxBuffer: OUTPUT_MAX_BYTES,
    },
  );
  signal.throwIfAborted();
  if (result.timedOut) return { ended: 'TimedOut' };
  if (result.code === 'ENOENT') return { ended: 'NotInstalled' };
  if (result.exitCode === undefined) return { ended: 'BrokenOff', why: result.originalMessage ?? 'it was killed' };
  return { ended: 'Exited', stdout: result.stdout, stderr: result.stderr };
}
