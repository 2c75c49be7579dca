import { describe, expect, it } from 'vitest';
import { readSuiteResult } from '../../run/suite-result.ts';

interface TestRow {
  readonly status: string;
}

function report(...files: { status: string; tests: TestRow[]; message?: string }[]): string {
  return JSON.stringify({
    testResults: files.map(({ status, tests, message = '' }, index) => ({
      name: `file-${index}`,
      status,
      message,
      assertionResults: tests.map(({ status }, row) => ({
        fullName: `test ${row}`,
        status,
      })),
    })),
  });
}

const passing = { status: 'passed', tests: [{ status: 'passed' }, { status: 'passed' }] };

describe('the result of a suite', () => {
  it('counts what passed and what failed', () => {
    const json = report(passing, { status: 'failed', tests: [{ status: 'failed' }] });
    expect(readSuiteResult(json, 1)).toMatchObject({ passed: 2, failed: 1, complaints: [] });
  });

  it('fails when there is no test to run', () => {
    expect(readSuiteResult(report(), 0)).toMatchObject({ failed: 1, complaints: ['it holds no test'] });
  });

  it('fails when a test file cannot be loaded', () => {
    const json = report(passing, { status: 'failed', tests: [], message: 'Cannot find module' });
    expect(readSuiteResult(json, 1)).toMatchObject({
      passed: 2,
      failed: 1,
      complaints: ['file-1: Cannot find module'],
    });
  });

  it.each(['skipped', 'pending', 'todo', 'disabled'])('fails when a test is %s', (status) => {
    const json = report({ status: 'passed', tests: [{ status: 'passed' }, { status }] });
    expect(readSuiteResult(json, 0)).toMatchObject({ passed: 1, failed: 1, complaints: ['left out: test 1'] });
  });

  it('fails when vitest ends badly though every test passed', () => {
    expect(readSuiteResult(report(passing), 1)).toMatchObject({ failed: 1, complaints: ['vitest ended with 1'] });
  });

  it('fails when vitest dies before it writes its report', () => {
    expect(readSuiteResult(undefined, 137).failed).toBe(1);
  });
});
