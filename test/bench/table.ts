import type { BenchRow } from './row.ts';

/** The rows as a Markdown table. */
export function renderTable(rows: readonly BenchRow[]): string {
  const lines = rows.map(({ name, unit, ours, baseline, ratio, goal, holds }) => {
    const verdict = holds === null ? '' : holds ? 'holds' : '**missed**';
    const cells = [name, unit, figure(ours), figure(baseline), ratio === null ? '' : ratio.toFixed(2), goal, verdict];
    return `| ${cells.join(' | ')} |`;
  });
  return ['| what | unit | ours | baseline | ratio | goal | |', '|---|---|---|---|---|---|---|', ...lines].join('\n');
}

/**
 * `docs/benchmarks.md` with the groups that were measured set anew; what it says of others stays.
 * @param before the document as it is
 */
export function renderDocument(before: string, results: ReadonlyMap<string, readonly BenchRow[]>): string {
  const kept = before
    .split(/^(?=## )/m)
    .filter((part) => part.startsWith('## '))
    .map((part): [string, string] => [part.slice(3, part.indexOf('\n')), `${part.trimEnd()}\n`]);
  const measured = [...results].map(([group, rows]): [string, string] => [
    group,
    `## ${group}\n\n\`npm run bench -- ${group}\`\n\n${renderTable(rows)}\n`,
  ]);
  const parts = [...new Map([...kept, ...measured])].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `${HEAD}\n${parts.map(([, text]) => text).join('\n')}`;
}

const HEAD = `# Benchmarks

Written by \`npm run bench\`; \`npm run bench:check\` lists the goals that the last run missed. Each figure stands beside its real
alternative, measured in the same run on the same machine in turn. Absolute figures are those of one small machine (2 cores, no
working KVM); the ratios are what counts. What lies behind a figure, and where a missed goal's time goes, is in
[benchmark notes](benchmark-notes.md).
`;

function figure(value: number | null): string {
  if (value === null) return '';
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}
