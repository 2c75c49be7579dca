import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestDaemon } from './daemon.ts';

/** A qcow2 image, empty or on top of another. @returns its path. */
export function makeImage(daemon: TestDaemon, name: string, size = '8M', backing?: string): string {
  const path = join(daemon.imagesPath, name);
  const over = backing === undefined ? [] : ['-b', backing, '-F', 'qcow2'];
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...over, path, size]);
  return path;
}

/** Writes a pattern into an image that no QEMU has open. */
export function fillImage(path: string, pattern: number, offset: string, length: string): void {
  execFileSync('qemu-io', ['-f', 'qcow2', '-c', `write -P ${pattern} ${offset} ${length}`, path], { stdio: 'pipe' });
}

/** @throws when the range does not hold the pattern. */
export function checkImage(path: string, pattern: number, offset: string, length: string): void {
  const command = `read -P ${pattern} ${offset} ${length}`;
  const output = execFileSync('qemu-io', ['-r', '-U', '-f', 'qcow2', '-c', command, path], { encoding: 'utf8' });
  if (/Pattern verification failed/.test(output)) throw new Error(`${path} does not hold ${pattern} at ${offset}`);
}

/** What stands below an image, as the image itself says. */
export function backingOf(path: string): string | undefined {
  const info: { 'backing-filename'?: string } = JSON.parse(
    execFileSync('qemu-img', ['info', '-U', '--output=json', path], { encoding: 'utf8' }),
  );
  return info['backing-filename'];
}
