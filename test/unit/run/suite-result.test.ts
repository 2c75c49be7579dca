import { describe, expect, it } from 'vitest';
import { readSuiteResult } from '../../run/suite-result.ts';

interface TestRow {
  readonly status: string;
  readonly failureMessages?: readonly string[];
}

function report(...files: { status: string; tests: TestRow[]; message?: string }[]): string {
  return JSON.stringify({
    testResults: files.map(({ status, tests, message = '' }, index) => ({
      name: `file-${index}`,
      status,
      message,
      assertionResults: tests.map((test, row) => ({ fullName: `test ${row}`, ...test })),
    })),
  });
}

const passing = { status: 'passed', tests: [{ status: 'passed' }, { status: 'passed' }] };

describe('the result of a suite', () => {
  it('counts what passed and what failed', () => {
    const json = report(passing, { status: 'failed', tests: [{ status: 'failed' }] });
    expect(readSuiteResult(json, 1)).toEqual({ passed: 2, failures: ['file-1: test 0'] });
  });

  it('says where and why a test failed, without colours and without the whole stack', () => {
    const message = `\u001b[31mexpected 1 to be 2\u001b[39m\n\n${'    at somewhere\n'.repeat(30)}`;
    const { failures } = readSuiteResult(
      report({ status: 'failed', tests: [{ status: 'failed', failureMessages: [message] }] }),
      1,
    );
    expect(failures.join().split('\n').slice(0, 3)).toEqual([
      'file-0: test 0',
      '    expected 1 to be 2',
      '        at somewhere',
    ]);
    expect(failures.join().split('\n')).toHaveLength(7);
  });

  it('fails when there is no test to run', () => {
    expect(readSuiteResult(report(), 0)).toEqual({ passed: 0, failures: ['it holds no test'] });
  });

  it('fails when a test file cannot be loaded', () => {
    const json = report(passing, { status: 'failed', tests: [], message: 'Cannot find module' });
    expect(readSuiteResult(json, 1)).toEqual({
      passed: 2,
      failures: ['file-1: Cannot find module'],
    });
  });

  it.each(['skipped', 'pending', 'todo', 'disabled'])('fails when a test is %s', (status) => {
    const json = report({ status: 'passed', tests: [{ status: 'passed' }, { status }] });
    expect(readSuiteResult(json, 0)).toEqual({ passed: 1, failures: ['file-0: left out: test 1'] });
  });

  it('fails when vitest ends badly though every test passed', () => {
    expect(readSuiteResult(report(passing), 1)).toEqual({ passed: 2, failures: ['vitest ended with 1'] });
  });

  it('fails when vitest dies before it writes its report', () => {
    expect(readSuiteResult(undefined, 137).failures).toHaveLength(1);
  });
});
