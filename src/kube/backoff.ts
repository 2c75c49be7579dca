/** Shape of a retry delay: doubles from `initialMs` up to `maxMs`, then spread so that clients do not retry in step. */
export interface BackoffPolicy {
  initialMs: number;
  maxMs: number;
  /** Growth per failure, > 1. */
  factor: number;
  /** Share of the delay that is random, 0..1: the delay lies in [d·(1−jitter), d]. */
  jitterFraction: number;
}

/**
 * The delay before the next try after `failures` failures in a row (≥ 1), in milliseconds.
 * `random` is in [0, 1): `Math.random` in production, a seeded source in tests.
 */
export function backoffDelayMs(policy: BackoffPolicy, failures: number, random: () => number): number {
  // Above 64 doublings every practical policy has long reached its cap; the bound keeps the power finite.
  const exponent = Math.min(Math.max(failures - 1, 0), 64);
  const delayMs = Math.min(policy.initialMs * policy.factor ** exponent, policy.maxMs);
  return delayMs * (1 - policy.jitterFraction * random());
}
