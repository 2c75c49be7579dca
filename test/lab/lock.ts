import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Progress } from './report.ts';

/**
 * Runs the work while no other process holds the lock on the file. The kernel drops the lock with the process that holds
 * it, so a crash leaves none behind.
 *
 * flock(1) locks the open file that it shares with us and ends; the lock stays until our descriptor closes (flock(2)).
 */
export async function withLock<T>(file: string, progress: Progress, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const descriptor = openSync(file, 'a');
  try {
    progress(`waiting for whoever holds ${file}`);
    const flock = spawn('flock', ['--exclusive', '3'], { stdio: ['ignore', 'ignore', 'inherit', descriptor] });
    const [code] = await once(flock, 'exit');
    if (code !== 0) throw new Error(`Cannot lock ${file}: flock ended with ${code}.`);
    return await work();
  } finally {
    closeSync(descriptor);
  }
}
