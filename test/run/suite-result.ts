import { stripVTControlCharacters } from 'node:util';
import { z } from 'zod';

/** What came of one suite? Read from vitest's JSON report, so that nobody counts by hand. */
export interface SuiteResult {
  readonly passed: number;
  /** Everything that makes the suite fail: failed tests with the start of what they said, and what else is wrong. */
  readonly failures: readonly string[];
}

/** Enough of a failed test's message to know what it was about, also where only the end of a long output is kept. */
const LINES_OF_MESSAGE = 6;

const report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          failureMessages: z.array(z.string()).default([]),
          status: z.enum(['passed', 'failed', 'skipped', 'pending', 'todo', 'disabled']),
        }),
      ),
    }),
  ),
});

/**
 * Judges a suite by its report and by how vitest ended. A suite fails when a test fails, when a file cannot be loaded,
 * when it holds no test at all, and when a test is left out.
 * @param json undefined when vitest wrote no report.
 */
export function readSuiteResult(json: string | undefined, exitCode: number): SuiteResult {
  if (json === undefined) return { passed: 0, failures: ['vitest wrote no report'] };
  const files = report.parse(JSON.parse(json)).testResults;
  const failures: string[] = [];
  let passed = 0;
  for (const { name, status, message, assertionResults: tests } of files) {
    for (const test of tests) {
      if (test.status === 'passed') passed += 1;
      else if (test.status === 'failed') failures.push(failureOf(name, test));
      else failures.push(`${name}: left out: ${test.fullName}`);
    }
    if (status === 'failed' && !tests.some((test) => test.status === 'failed')) {
      failures.push(`${name}: ${message || 'failed outside of its tests'}`);
    }
  }
  if (files.every((file) => file.assertionResults.length === 0)) failures.push('it holds no test');
  if (exitCode !== 0 && failures.length === 0) failures.push(`vitest ended with ${exitCode}`);
  return { passed, failures };
}

function failureOf(
  file: string,
  test: { readonly fullName: string; readonly failureMessages: readonly string[] },
): string {
  const said = test.failureMessages.flatMap((message) => stripVTControlCharacters(message).split('\n'));
  const start = said.filter((line) => line.trim() !== '').slice(0, LINES_OF_MESSAGE);
  return [`${file}: ${test.fullName}`, ...start.map((line) => `    ${line}`)].join('\n');
}
