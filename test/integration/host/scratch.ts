import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
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

/** Writes to a frozen file system wait until it is thawed (ioctl_fsfreeze(2)), as those to a dead NFS server do. */
export function freezableFileSystem(): { root: string; freeze(): void; thaw(): void } {
  const directory = scratchDirectory();
  const disk = join(directory, 'disk');
  const root = join(directory, 'mount');
  mkdirSync(root);
  run('truncate', '-s', '32M', disk);
  run('mkfs.ext4', '-q', '-F', disk);
  run('mount', '-o', 'loop', disk, root);
  onTestFinished(() => {
    execFileSync('sh', ['-c', 'fsfreeze --unfreeze "$0" 2>/dev/null; umount --lazy "$0"', root]);
  });
  return {
    root,
    freeze: () => void run('fsfreeze', '--freeze', root),
    thaw: () => void run('fsfreeze', '--unfreeze', root),
  };
}
