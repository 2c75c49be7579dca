import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BackoffPolicy, backoffDelayMs } from '../../../src/kube/index.ts';

const policies: fc.Arbitrary<BackoffPolicy> = fc
  .record({
    initialMs: fc.integer({ min: 1, max: 10_000 }),
    factor: fc.double({ min: 1.1, max: 10, noNaN: true }),
    jitterFraction: fc.double({ min: 0, max: 1, noNaN: true }),
    cap: fc.integer({ min: 1, max: 1000 }),
  })
  .map(({ cap, ...policy }) => ({ ...policy, maxMs: policy.initialMs * cap }));
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('backoffDelayMs', () => {
  it('doubles from the first delay up to the cap', () => {
    const policy = { initialMs: 200, maxMs: 1500, factor: 2, jitterFraction: 0 };
    expect([1, 2, 3, 4, 5, 6].map((failures) => backoffDelayMs(policy, failures, () => 0.5))).toEqual([
      200, 400, 800, 1500, 1500, 1500,
    ]);
  });

  it('lies within the jitter below the unjittered delay, which never shrinks and never exceeds the cap', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 1_000_000 }), randoms, (policy, failures, random) => {
        const highest = backoffDelayMs(policy, failures, () => 0);
        const delay = backoffDelayMs(policy, failures, () => random);
        expect(highest).toBeLessThanOrEqual(policy.maxMs);
        expect(highest).toBeGreaterThanOrEqual(policy.initialMs);
        expect(backoffDelayMs(policy, failures + 1, () => 0)).toBeGreaterThanOrEqual(highest);
        expect(delay).toBeLessThanOrEqual(highest);
        expect(delay).toBeGreaterThanOrEqual(highest * (1 - policy.jitterFraction));
      }),
    );
  });
});
