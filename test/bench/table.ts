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

/** `docs/benchmarks.md`. */
export function renderDocument(results: ReadonlyMap<string, readonly BenchRow[]>): string {
  const parts = [...results].map(
    ([group, rows]) => `## ${group}\n\n\`npm run bench -- ${group}\`\n\n${renderTable(rows)}\n`,
  );
  return `${HEAD}\n${parts.join('\n')}`;
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
