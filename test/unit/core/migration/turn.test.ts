import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MigrationUnderWay, turnOf } from '../../../../src/core/migration/turn.ts';

const limits = { maxPerCluster: 3, maxPerHost: 2 };
const copied = (source: string, target: string): MigrationUnderWay => ({ source, target, isPrepared: false });
const from = (source: string, target: string) => ({ source, target });

describe('the turn of a migration', () => {
  it('has come while there are places, in the Cluster and on both hosts', () => {
    expect(turnOf(from('a', 'b'), 'copied', [copied('a', 'c'), copied('b', 'd')], limits)).toEqual({ ok: true });
  });

  it('has not come while the Cluster moves as many as it may', () => {
    const underWay = [copied('c', 'd'), copied('d', 'e'), copied('e', 'f')];
    expect(turnOf(from('a', 'b'), 'copied', underWay, limits)).toEqual({
      ok: false,
      reason: 'Queued',
      message: '3 VMs of the Cluster are copied, no more are at once (spec.migration.maxPerCluster)',
    });
  });

  it.each([
    ['sends', [copied('a', 'c'), copied('a', 'd')]],
    ['receives', [copied('c', 'a'), copied('d', 'a')]],
    ['does both', [copied('a', 'c'), copied('d', 'a')]],
  ])('has not come while one of the hosts %s as many as it may', (_what, underWay) => {
    const message = 'host a takes part in 2 migrations, no more are copied at once (spec.migration.maxPerHost)';
    for (const pair of [from('a', 'b'), from('b', 'a')])
      expect(turnOf(pair, 'copied', underWay, limits)).toEqual({ ok: false, reason: 'Queued', message });
  });

  it('to be made ready does not wait for those that are copied', () => {
    const underWay = [copied('a', 'b'), copied('a', 'b')];
    expect(turnOf(from('a', 'b'), 'prepared', underWay, limits)).toEqual({ ok: true });
  });

  it('never lets a limit be passed, whatever is asked for in whatever order', () => {
    const host = fc.constantFrom('a', 'b', 'c', 'd');
    const pair = fc.tuple(host, host).filter(([source, target]) => source !== target);
    const anyLimits = fc.record({
      maxPerCluster: fc.integer({ min: 1, max: 6 }),
      maxPerHost: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(pair, fc.nat(5)), { maxLength: 40 }), anyLimits, (asked, given) => {
        const underWay: MigrationUnderWay[] = [];
        for (const [[source, target], ends] of asked) {
          if (ends === 0) underWay.shift();
          if (turnOf({ source, target }, 'copied', underWay, given).ok) underWay.push(copied(source, target));
          const of = (name: string) => underWay.filter((each) => each.source === name || each.target === name).length;
          expect(underWay.length).toBeLessThanOrEqual(given.maxPerCluster);
          for (const name of ['a', 'b', 'c', 'd']) expect(of(name)).toBeLessThanOrEqual(given.maxPerHost);
        }
      }),
    );
  });
});
