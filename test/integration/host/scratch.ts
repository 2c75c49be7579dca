import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A directory that the running test has for itself; removed after it. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'drover-host-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs a program of the machine and returns what it printed. @throws when it fails. */
export function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
}

/** A file system (tmpfs) of this size that the running test has for itself. */
export function smallFileSystem(bytes: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'drover-fs-'));
  run('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'drover-test', directory);
  onTestFinished(() => {
    run('umount', '--lazy', directory);
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}
