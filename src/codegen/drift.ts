import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** How a folder of generated files differs from what would be generated now. Paths are relative and sorted. */
export interface Drift {
  readonly missing: readonly string[];
  readonly changed: readonly string[];
  /** Files that nothing generates any more. */
  readonly stale: readonly string[];
}

export function driftOf(root: string, wanted: ReadonlyMap<string, string>, folders: readonly string[]): Drift {
  const paths = [...wanted.keys()].sort();
  const missing = paths.filter((path) => !existsSync(join(root, path)));
  const present = paths.filter((path) => !missing.includes(path));
  const changed = present.filter((path) => readFileSync(join(root, path), 'utf8') !== wanted.get(path));
  const stale = folders.flatMap((folder) => filesBelow(root, folder)).filter((path) => !wanted.has(path));
  return { missing, changed, stale: stale.sort() };
}

/** Makes the folders hold exactly the wanted files. @returns what had to be done. */
export function mend(root: string, wanted: ReadonlyMap<string, string>, folders: readonly string[]): Drift {
  const drift = driftOf(root, wanted, folders);
  for (const path of [...drift.missing, ...drift.changed]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), wanted.get(path) ?? '');
  }
  for (const path of drift.stale) rmSync(join(root, path));
  return drift;
}

function filesBelow(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length).replace(/^\/+/, ''));
}
