import { KINDS } from '../api/kinds.ts';
import type { AnyKind } from './any-kind.ts';
import { crdFile } from './crd.ts';
import { referencePage } from './reference.ts';
import { indexPage } from './reference-index.ts';

/** Folders that hold generated files and nothing else. */
export const GENERATED_FOLDERS = ['crds', 'docs/reference'] as const;

/** Every generated file by its path in the repository, sorted. */
export function generatedFiles(kinds: readonly AnyKind[] = Object.values(KINDS)): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const kind of kinds) {
    files.set(`crds/${kind.plural}.yaml`, crdFile(kind));
    files.set(`docs/reference/${kind.singular}.md`, referencePage(kind));
  }
  files.set('docs/reference/README.md', indexPage(kinds));
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}
