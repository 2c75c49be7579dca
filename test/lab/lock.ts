import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Progress } from './report.ts';

/**
 * Runs the work while no other process holds the lock on the file. The kernel drops the lock with the process that holds
 * it, so a crash leaves none behind.
 *
 * flock(1) locks the open file that it shares with us and ends; the lock stays until our descriptor closes (flock(2)).
 */
export async function withLock<T>(file: string, progress: Progress, work: () => Promise<T>): Promise<T> {
  for (;;) {
    mkdirSync(dirname(file), { recursive: true });
    const descriptor = openSync(file, 'a');
    try {
      progress(`waiting for whoever holds ${file}`);
      await lock(descriptor, file);
      // Who held it may have deleted the file, as "down" does: then it is the lock of nothing, and the next try makes a new one.
      if (isStillThere(descriptor, file)) return await work();
    } finally {
      closeSync(descriptor);
    }
  }
}

async function lock(descriptor: number, file: string): Promise<void> {
  const flock = spawn('flock', ['--exclusive', '3'], { stdio: ['ignore', 'ignore', 'inherit', descriptor] });
  const [code] = await once(flock, 'exit');
  if (code !== 0) throw new Error(`Cannot lock ${file}: flock ended with ${code}.`);
}

function isStillThere(descriptor: number, file: string): boolean {
  return existsSync(file) && statSync(file).ino === fstatSync(descriptor).ino;
}
