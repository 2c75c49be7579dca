import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endOfWait, isStillToCome } from '../../../../src/core/model/clock.ts';

const MINUTE_MS = 60_000;
const unixMs = fc.integer({ min: 0, max: 4e12 });
const lengthMs = fc.integer({ min: 0, max: 1e7 });

describe('a wait of which somebody has written down when it began', () => {
  it('ends when its time has passed', () => {
    fc.assert(
      fc.property(unixMs, lengthMs, fc.nat(1e9), (beganMs, length, passedMs) => {
        expect(endOfWait(beganMs, length, beganMs + passedMs)).toBe(beganMs + length);
      }),
    );
  });

  it('never lasts longer than a minute more, however wrong the clock was by which it began', () => {
    fc.assert(
      fc.property(unixMs, lengthMs, unixMs, (beganMs, length, nowMs) => {
        expect(endOfWait(beganMs, length, nowMs)).toBeLessThanOrEqual(nowMs + MINUTE_MS + length);
      }),
    );
  });

  it('is over when it is still to begin, later than clocks of machines differ', () => {
    expect([endOfWait(MINUTE_MS + 1, 5, 0), endOfWait(MINUTE_MS, 5, 0)]).toEqual([0, MINUTE_MS + 5]);
    expect([isStillToCome(MINUTE_MS + 1, 0), isStillToCome(MINUTE_MS, 0)]).toEqual([true, false]);
  });
});
