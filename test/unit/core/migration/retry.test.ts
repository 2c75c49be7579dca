import { describe, expect, it } from 'vitest';
import type { Migration } from '../../../../src/api/migration.ts';
import { retryAtMs } from '../../../../src/core/migration/retry.ts';

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const DAY_SECONDS = 86_400;

/** Migrations that have failed, by how long ago that was. */
function failed(...secondsAgo: number[]): Migration[] {
  return secondsAgo.map((seconds) => {
    const status = { finishedAt: new Date(NOW_MS - seconds * 1000).toISOString() };
    return { status } as Migration;
  });
}

describe('a VM whose Migrations have failed', () => {
  it.each([
    ['is moved at once where none has', [], undefined],
    ['waits for 30 s', [5], 25],
    ['waits twice as long each time', [100, 60, 5], 115],
    ['waits for ten minutes at most', Array.from({ length: 20 }, () => 5), 595],
    ['waits for none that will fail tomorrow, by a clock that was wrong', [-DAY_SECONDS], undefined],
    ['waits after the last of which the time can be right, and all count', [-DAY_SECONDS, 5], 55],
  ])('%s', (_what, secondsAgo, waitSeconds) => {
    const expected = waitSeconds === undefined ? 0 : NOW_MS + waitSeconds * 1000;
    expect(retryAtMs(failed(...secondsAgo), NOW_MS)).toBe(expected);
  });
});
