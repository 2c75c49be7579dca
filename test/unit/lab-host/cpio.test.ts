import { expect, it } from 'vitest';
import { type CpioEntry, cpioArchive } from '../../lab/guest/image/cpio.ts';

const TREE: readonly CpioEntry[] = [
  { type: 'folder', path: 'bin' },
  { type: 'file', path: 'bin/tool', executable: true, content: Buffer.from('odd length') },
  { type: 'file', path: 'note', executable: false, content: Buffer.from([0, 1, 2]) },
  { type: 'link', path: 'init', target: 'bin/tool' },
  { type: 'character device', path: 'dev/console', major: 5, minor: 1 },
];

it('lays out what the kernel unpacks: modes, contents, links, devices, and the trailer at the end', () => {
  expect(members(cpioArchive(TREE))).toEqual([
    { path: 'bin', mode: 0o040755, device: [0, 0], content: '' },
    { path: 'bin/tool', mode: 0o100755, device: [0, 0], content: 'odd length' },
    { path: 'note', mode: 0o100644, device: [0, 0], content: '\0\x01\x02' },
    { path: 'init', mode: 0o120777, device: [0, 0], content: 'bin/tool' },
    { path: 'dev/console', mode: 0o020600, device: [5, 1], content: '' },
    { path: 'TRAILER!!!', mode: 0, device: [0, 0], content: '' },
  ]);
});

it('makes the same archive of the same tree', () => {
  expect(cpioArchive(TREE).equals(cpioArchive(TREE))).toBe(true);
});

/** Reads a "newc" archive by the kernel's description: 6 + 13 × 8 bytes of header, name and content padded to 4 bytes. */
function members(archive: Buffer) {
  const found = [];
  for (let at = 0; at < archive.length; ) {
    const start = at;
    expect(archive.toString('latin1', start, start + 6)).toBe('070701');
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', start + 6 + 8 * index, start + 14 + 8 * index), 16);
    const nameEnd = start + 110 + field(11);
    const contentStart = nameEnd + ((4 - (nameEnd % 4)) % 4);
    const contentEnd = contentStart + field(6);
    found.push({
      path: archive.toString('latin1', start + 110, nameEnd - 1),
      mode: field(1),
      device: [field(9), field(10)],
      content: archive.toString('latin1', contentStart, contentEnd),
    });
    at = contentEnd + ((4 - (contentEnd % 4)) % 4);
  }
  return found;
}
