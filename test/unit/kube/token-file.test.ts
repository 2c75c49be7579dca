import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KubeError, TokenFile } from '../../../src/kube/index.ts';
import { VirtualClock } from './virtual-clock.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-token-'));
  path = join(folder, 'token');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('TokenFile', () => {
  it('reads the file again after ten seconds, or at once when the server refused the token', async () => {
    const clock = new VirtualClock();
    const source = new TokenFile(path, clock);
    writeFileSync(path, 'one\n');
    expect(await source.token()).toBe('one');
    writeFileSync(path, 'two\n');
    await clock.advance(9_999);
    expect(await source.token()).toBe('one');
    await clock.advance(1);
    expect(await source.token()).toBe('two');
    writeFileSync(path, 'three\n');
    source.invalidate();
    expect(await source.token()).toBe('three');
  });

  it('names the file that is missing or empty', async () => {
    const source = new TokenFile(path, new VirtualClock());
    await expect(source.token()).rejects.toThrow(KubeError);
    await expect(source.token()).rejects.toThrow(`Cannot read the bearer token in ${path}: ENOENT`);
    writeFileSync(path, '\n');
    await expect(source.token()).rejects.toThrow(/the file is empty/);
  });
});
