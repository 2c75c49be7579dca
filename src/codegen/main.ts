import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Drift, driftOf, mend } from './drift.ts';
import { GENERATED_FOLDERS, generatedFiles } from './outputs.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** `node src/codegen/main.ts` writes crds/ and docs/reference; with `--check` it only tells what differs and fails. */
function main(): void {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const wanted = generatedFiles();
  const drift = (values.check ? driftOf : mend)(ROOT, wanted, GENERATED_FOLDERS);
  const lines = linesOf(drift, values.check);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  if (lines.length === 0) process.stdout.write(`${wanted.size} generated files are up to date\n`);
  if (values.check && lines.length > 0) {
    process.stderr.write('Generated files differ from src/api: run "npm run generate" and commit the result\n');
    process.exitCode = 1;
  }
}

function linesOf({ missing, changed, stale }: Drift, check: boolean): string[] {
  const [made, rewritten, removed] = check ? ['missing', 'differs', 'stale'] : ['made', 'rewritten', 'removed'];
  return [
    ...missing.map((path) => `${made}: ${path}`),
    ...changed.map((path) => `${rewritten}: ${path}`),
    ...stale.map((path) => `${removed}: ${path}`),
  ];
}

main();
