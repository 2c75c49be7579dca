import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { driftOf, mend } from '../../../src/codegen/drift.ts';

const FOLDERS = ['crds', 'docs/reference'];
const WANTED = new Map([
  ['crds/a.yaml', 'a'],
  ['docs/reference/a.md', 'A'],
]);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'drover-drift-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
}

describe('drift of generated files', () => {
  it('is none where every file is as it would be generated', () => {
    for (const [path, text] of WANTED) put(path, text);
    expect(driftOf(root, WANTED, FOLDERS)).toEqual({ missing: [], changed: [], stale: [] });
  });

  it('lists what is missing, what was changed by hand, and what nothing generates any more', () => {
    put('crds/a.yaml', 'edited');
    put('crds/gone.yaml', 'a kind that there once was');
    put('docs/reference/old/b.md', 'B');
    put('docs/adr/kept.md', 'written by people');
    expect(driftOf(root, WANTED, FOLDERS)).toEqual({
      missing: ['docs/reference/a.md'],
      changed: ['crds/a.yaml'],
      stale: ['crds/gone.yaml', 'docs/reference/old/b.md'],
    });
  });

  it('is mended by making the folders hold exactly the generated files, and nothing else is touched', () => {
    put('crds/a.yaml', 'edited');
    put('crds/gone.yaml', 'x');
    put('docs/adr/kept.md', 'written by people');
    mend(root, WANTED, FOLDERS);
    expect(driftOf(root, WANTED, FOLDERS)).toEqual({ missing: [], changed: [], stale: [] });
    expect(readFileSync(join(root, 'crds/a.yaml'), 'utf8')).toBe('a');
    expect(readdirSync(join(root, 'docs/adr'))).toEqual(['kept.md']);
  });
});
