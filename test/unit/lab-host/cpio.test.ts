import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type CpioEntry, cpioArchive } from '../../lab/guest/image/cpio.ts';

const TREE: readonly CpioEntry[] = [
  { type: 'folder', path: 'bin' },
  { type: 'file', path: 'bin/tool', executable: true, content: Buffer.from('odd length') },
  { type: 'file', path: 'note', executable: false, content: Buffer.from([0, 1, 2]) },
  { type: 'link', path: 'init', target: 'bin/tool' },
  { type: 'folder', path: 'dev' },
  { type: 'character device', path: 'dev/console', major: 5, minor: 1 },
];

it('makes archives that cpio lists with owners, modes, links and devices', () => {
  const list = execFileSync('cpio', ['--list', '--verbose', '--numeric-uid-gid', '--quiet'], {
    input: cpioArchive(TREE),
    encoding: 'utf8',
  });
  const lines = list
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' '));
  expect(lines.map((line) => line.split(' ')[0])).toEqual([
    'drwxr-xr-x',
    '-rwxr-xr-x',
    '-rw-r--r--',
    'lrwxrwxrwx',
    'drwxr-xr-x',
    'crw-------',
  ]);
  expect(lines[3]).toMatch(/ init -> bin\/tool$/);
  expect(lines[5]).toMatch(/ 0 0 5, 1 .*dev\/console$/);
});

it('makes archives that unpack to the same files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-cpio-'));
  try {
    const files = TREE.filter((entry) => entry.type !== 'character device');
    execFileSync('cpio', ['--extract', '--quiet'], { cwd: folder, input: cpioArchive(files) });
    expect(readFileSync(join(folder, 'bin/tool'), 'utf8')).toBe('odd length');
    expect(lstatSync(join(folder, 'bin/tool')).mode & 0o777).toBe(0o755);
    expect([...readFileSync(join(folder, 'note'))]).toEqual([0, 1, 2]);
    expect(readlinkSync(join(folder, 'init'))).toBe('bin/tool');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('makes the same archive of the same tree', () => {
  expect(cpioArchive(TREE).equals(cpioArchive(TREE))).toBe(true);
});
