import { readResults } from './results.ts';

/** Lists the goals that the last run missed; ends with 1 when there are any, or when nothing was measured. */
const results = readResults();
const missed = [...results].flatMap(([group, rows]) =>
  rows.filter(({ holds }) => holds === false).map((row) => ({ group, ...row })),
);
if (results.size === 0) process.stdout.write('Nothing has been measured yet: run "npm run bench" first.\n');
for (const { group, name, ours, unit, ratio, goal } of missed) {
  const figure = ratio === null ? `${ours} ${unit}` : `${ratio.toFixed(2)} × its baseline (${ours} ${unit})`;
  process.stdout.write(`${group}: ${name}: ${figure}, goal ${goal}\n`);
}
if (results.size > 0) process.stdout.write(`${missed.length} goals missed\n`);
process.exitCode = results.size === 0 || missed.length > 0 ? 1 : 0;
