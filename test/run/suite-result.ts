import { z } from 'zod';

/** What came of one suite? Read from vitest's JSON report, so that nobody counts by hand. */
export interface SuiteResult {
  readonly passed: number;
  readonly failed: number;
  /** What besides failed tests makes the suite fail, one line each. */
  readonly complaints: readonly string[];
}

const report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
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
  if (json === undefined) return { passed: 0, failed: 1, complaints: ['vitest wrote no report'] };
  const files = report.parse(JSON.parse(json)).testResults;
  const tests = files.flatMap((file) => file.assertionResults);
  const complaints = files
    .filter((file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'))
    .map((file) => `${file.name}: ${file.message || 'failed outside of its tests'}`);
  let [passed, failed] = [0, 0];
  for (const test of tests) {
    if (test.status === 'passed') passed += 1;
    else if (test.status === 'failed') failed += 1;
    else complaints.push(`left out: ${test.fullName}`);
  }
  if (tests.length === 0) complaints.push('it holds no test');
  if (exitCode !== 0 && failed + complaints.length === 0) complaints.push(`vitest ended with ${exitCode}`);
  return { passed, failed: failed + complaints.length, complaints };
}
