import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { installForRealParts } from '../lab/install/install.ts';
import { lines } from '../lab/report.ts';
import { CHEAP, ON_REAL_PARTS, type Step } from './steps.ts';
import { readSuiteResult } from './suite-result.ts';

/** Runs everything that CI runs. The last line says how many tests passed and failed. */
const CHECKOUT = join(import.meta.dirname, '..', '..');
const REPORTS = join(CHECKOUT, '.lab', 'reports');

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failures: readonly string[];
  readonly seconds: number;
}

async function main(): Promise<void> {
  const outcomes: Outcome[] = [];
  for (const step of CHEAP) outcomes.push(await runStep(step));
  if (outcomes.every((outcome) => outcome.failures.length === 0)) {
    await installForRealParts(lines(say));
    for (const step of ON_REAL_PARTS) outcomes.push(await runStep(step));
  } else {
    say(`\nNot run, because the above failed: ${ON_REAL_PARTS.map((step) => step.name).join(', ')}`);
  }
  summarize(outcomes);
}

/** What failed stands at the end, with its reason: often that is all that is kept of a long output. */
function summarize(outcomes: readonly Outcome[]): void {
  say('');
  let [passed, failed] = [0, 0];
  for (const outcome of outcomes) {
    const { name, failures, seconds } = outcome;
    passed += outcome.passed;
    failed += failures.length;
    say(
      `${name.padEnd(14)} ${failures.length === 0 ? 'ok    ' : 'FAILED'} ${seconds.toFixed(1).padStart(7)} s   ${outcome.passed} passed, ${failures.length} failed`,
    );
  }
  for (const { name, failures } of outcomes) for (const failure of failures) say(`${name}: ${failure}`);
  say(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

async function runStep(step: Step): Promise<Outcome> {
  say(`\n== ${step.name}`);
  const start = performance.now();
  const result = step.kind === 'check' ? await runCheck(step.command) : await runSuite(step.name);
  return { name: step.name, seconds: (performance.now() - start) / 1000, ...result };
}

/** A check is no test: it adds to the failures only. */
async function runCheck([command, ...args]: readonly [string, ...string[]]): Promise<
  Omit<Outcome, 'name' | 'seconds'>
> {
  return { passed: 0, failures: (await exitCodeOf(command, args)) === 0 ? [] : [`${command} ${args.join(' ')}`] };
}

async function runSuite(name: string): Promise<Omit<Outcome, 'name' | 'seconds'>> {
  mkdirSync(REPORTS, { recursive: true });
  const file = join(REPORTS, `${name}.json`);
  rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const exitCode = await exitCodeOf('vitest', ['run', '--project', name, ...reporters]);
  return readSuiteResult(existsSync(file) ? readFileSync(file, 'utf8') : undefined, exitCode);
}

async function exitCodeOf(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { stdio: 'inherit', cwd: CHECKOUT });
  return await new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`Cannot run ${command}. Run it through "make test".`, { cause })));
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
