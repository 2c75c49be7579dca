import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface RunOptions {
  readonly cwd?: string;
  /** Added to the lab's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with every line that the program prints, on either stream. */
  readonly onLine?: (line: string) => void;
}

const TAIL_LINES = 20;

/**
 * Runs a program to its end.
 * @returns all that it printed on stdout.
 * @throws with the end of its output when it fails.
 */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const printed: string[] = [];
  const tail: string[] = [];
  const follow = (stream: NodeJS.ReadableStream, keep: (line: string) => void) => {
    createInterface({ input: stream }).on('line', (line) => {
      keep(line);
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
      options.onLine?.(line);
    });
  };
  follow(child.stdout, (line) => printed.push(line));
  follow(child.stderr, () => undefined);
  const outcome = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? String(code)));
  });
  if (outcome !== '0') {
    throw new Error(`"${[command, ...args].join(' ')}" ended with ${outcome}:\n${tail.join('\n')}`);
  }
  return printed.join('\n');
}
