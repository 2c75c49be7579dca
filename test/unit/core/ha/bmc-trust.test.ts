import { describe, expect, it } from 'vitest';
import { afterReading, distrustOf, isGivenTheLie, type OffReadings } from '../../../../src/core/ha/bmc-trust.ts';

/** What is remembered after readings, each with the time of the lease's last renewal. */
function seenOf(...readings: readonly [state: 'On' | 'Off', renewTime: string | undefined][]): OffReadings | undefined {
  let seen: OffReadings | undefined;
  for (const [state, renewTime] of readings) seen = afterReading(state, renewTime, seen);
  return seen;
}
const isWrong = (seen: OffReadings | undefined) => seen !== undefined && isGivenTheLie(seen);

describe('a BMC that reads Off', () => {
  it.each([
    ['once', seenOf(['Off', 'a'])],
    ['of a host that has died', seenOf(['Off', 'a'], ['Off', 'a'], ['Off', 'a'])],
    ['while one renewal was on its way', seenOf(['Off', 'a'], ['Off', 'b'], ['Off', 'b'], ['Off', 'b'])],
    ['of a host without lease', seenOf(['Off', undefined], ['Off', undefined], ['Off', undefined])],
    ['after it had read On', seenOf(['Off', 'a'], ['Off', 'b'], ['On', 'c'], ['Off', 'd'])],
    ['of a host whose lease was deleted', seenOf(['Off', 'a'], ['Off', undefined], ['Off', undefined])],
  ])('%s may be right', (_, seen) => {
    expect(isWrong(seen)).toBe(false);
  });

  it('is wrong when the lease goes on being renewed', () => {
    expect(isWrong(seenOf(['Off', 'a'], ['Off', 'b'], ['Off', 'c']))).toBe(true);
  });
});

describe('whether the BMC of a host is believed', () => {
  const ready = (reason: string) => ({
    status: { conditions: [{ type: 'FencingReady', reason }] },
  });

  it.each(['BMCAnswers', 'Unreachable', 'StorageLeaseHeld'])('is yes at %s', (reason) => {
    expect(distrustOf(ready(reason))).toBeUndefined();
  });

  it('is no once it was given the lie', () => {
    expect(distrustOf(ready('PowerStateContradicted'))).toContain('not believed');
  });
});
