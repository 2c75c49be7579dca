import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { removeSeed, writeSeed } from '../../../src/host/seed.ts';
import { run, scratchDirectory } from './scratch.ts';

const read = (image: string, name: string): string => run('isoinfo', '-J', '-x', `/${name}`, '-i', image);

describe('writeSeed', () => {
  it('makes what cloud-init looks for: the label, and the three files under their full names', async () => {
    const directory = join(scratchDirectory(), 'seeds');
    const userData = '#cloud-config\npassword: "ä$(id)"\n';
    const image = await writeSeed({
      directory,
      name: 'vm-1',
      metaData: 'instance-id: i\n',
      userData,
      networkData: 'version: 2\n',
    });
    expect(image).toBe(join(directory, 'vm-1.iso'));
    expect(run('blkid', '-p', '-o', 'export', image)).toMatch(/^LABEL=CIDATA$/m);
    expect(read(image, 'meta-data')).toBe('instance-id: i\n');
    expect(read(image, 'user-data')).toBe(userData);
    expect(read(image, 'network-config')).toBe('version: 2\n');
    // Rock Ridge, which Linux prefers to Joliet.
    const names = run('isoinfo', '-R', '-f', '-i', image).trim().split('\n').sort();
    expect(names).toEqual(['/meta-data', '/network-config', '/user-data']);
  });

  it('can be read by nobody else and leaves no plain copy of the secret', async () => {
    const directory = join(scratchDirectory(), 'seeds');
    const image = await writeSeed({ directory, name: 'vm-1', metaData: 'instance-id: i\n', userData: 'secret' });
    expect(statSync(image).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['vm-1.iso']);
  });

  it('replaces a seed whole: who has the old one open keeps it', async () => {
    const directory = scratchDirectory();
    const old = await writeSeed({ directory, name: 'vm-1', metaData: 'instance-id: old\n' });
    const inode = statSync(old).ino;
    await writeSeed({ directory, name: 'vm-1', metaData: 'instance-id: new\n' });
    expect(statSync(old).ino).not.toBe(inode);
    expect(read(old, 'meta-data')).toBe('instance-id: new\n');
    expect(read(old, 'user-data')).toBe('');
  });

  it('leaves the old seed and no scratch files when the writer fails', async () => {
    const directory = scratchDirectory();
    const image = await writeSeed({ directory, name: 'vm-1', metaData: 'instance-id: old\n' });
    const before = readFileSync(image);
    useWriterThatFails();
    await expect(writeSeed({ directory, name: 'vm-1', metaData: 'instance-id: new\n' })).rejects.toThrow(
      /broken writer/,
    );
    expect(readFileSync(image)).toEqual(before);
    expect(readdirSync(directory)).toEqual(['vm-1.iso']);
  });

  it('takes no name that leads out of its directory', async () => {
    const directory = scratchDirectory();
    await expect(writeSeed({ directory, name: '../x', metaData: '' })).rejects.toThrow(/cannot name a seed/);
  });

  it('is removed, and removing it again is no error', async () => {
    const directory = scratchDirectory();
    await writeSeed({ directory, name: 'vm-1', metaData: '' });
    await removeSeed(directory, 'vm-1');
    await removeSeed(directory, 'vm-1');
    expect(readdirSync(directory)).toEqual([]);
  });
});

/** Puts a genisoimage first in PATH, for this test, that writes half an image and fails. */
function useWriterThatFails(): void {
  const path = process.env['PATH'] ?? '';
  onTestFinished(() => {
    process.env['PATH'] = path;
  });
  const bin = join(scratchDirectory(), 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'genisoimage'), '#!/bin/sh\necho half > "$4"\necho "broken writer" >&2\nexit 1\n');
  chmodSync(join(bin, 'genisoimage'), 0o755);
  process.env['PATH'] = `${bin}:${path}`;
}
