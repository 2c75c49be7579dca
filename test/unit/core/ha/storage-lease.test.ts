import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LeaseRecord, LeaseSighting, LeasesAnswer } from '../../../../src/api/storage-lease.ts';
import {
  judgeLease,
  type KeeperState,
  keeperStep,
  type LeaseView,
  lapsedAfterMs,
  renewed,
} from '../../../../src/core/ha/storage-lease.ts';

const RECORD: LeaseRecord = {
  host: 'host-2',
  bootID: 'boot-1',
  keeper: 'run-1',
  sequence: 7,
  selfFenceMs: 14_000,
  watchdogMs: 8_000,
  datastores: ['a'],
};
const ENOUGH_MS = lapsedAfterMs(RECORD);

const sighting = (silentMs: number, changes: Partial<LeaseRecord> = {}, datastore = 'a'): LeaseSighting => ({
  datastore,
  record: { ...RECORD, ...changes },
  silentMs,
  changed: true,
});
const seenBy = (host: string, ...sightings: readonly LeaseSighting[]): LeasesAnswer => ({
  host,
  leases: [{ host: 'host-2', sightings: [...sightings] }],
});
const BOTH = { datastores: ['a', 'b'] };

describe('the silence that proves that a boot is over', () => {
  it('is the self-fence time, twice the time of the watchdog, and what clocks may be off', () => {
    expect(lapsedAfterMs({ selfFenceMs: 14_000, watchdogMs: 8_000 })).toBe(32_640);
  });

  it('leaves enough of 45 s to start VMs elsewhere', () => {
    // A renewal every 2 s, a look every second by the reader and by the operator.
    expect(ENOUGH_MS + 2_000 + 1_000 + 1_000).toBeLessThan(37_000);
  });
});

const ROWS: readonly {
  readonly it: string;
  readonly answers: readonly LeasesAnswer[];
  readonly view: Partial<LeaseView>;
}[] = [
  {
    it: 'that somebody has just begun to look at is not alive for that',
    answers: [seenBy('host-1', { ...sighting(0), changed: false })],
    view: { kind: 'Silent' },
  },
  {
    it: 'renewed lately is alive',
    answers: [seenBy('host-1', sighting(1_000))],
    view: { kind: 'Alive', by: 'host-1' },
  },
  {
    it: 'that has missed three renewals is silent, and nothing is proven',
    answers: [seenBy('host-1', sighting(7_000))],
    view: { kind: 'Silent', remainingMs: ENOUGH_MS - 7_000 },
  },
  {
    it: 'silent for a moment less than enough proves nothing',
    answers: [seenBy('host-1', sighting(ENOUGH_MS - 1))],
    view: { kind: 'Silent', remainingMs: 1 },
  },
  {
    it: 'silent for long enough has lapsed',
    answers: [seenBy('host-1', sighting(ENOUGH_MS))],
    view: { kind: 'Lapsed', by: 'host-1', silentMs: ENOUGH_MS },
  },
  {
    it: 'that one host has watched for long enough has lapsed, although another has just begun to watch',
    answers: [seenBy('host-1', sighting(20_000)), seenBy('host-3', sighting(ENOUGH_MS))],
    view: { kind: 'Lapsed', by: 'host-3' },
  },
  {
    it: 'that anybody has seen renewed is alive, whatever others say',
    answers: [seenBy('host-1', sighting(ENOUGH_MS)), seenBy('host-3', sighting(1_000))],
    view: { kind: 'Alive', by: 'host-3' },
  },
  {
    it: 'without a watchdog behind it never lapses',
    answers: [seenBy('host-1', sighting(9e9, { watchdogMs: 0 }))],
    view: { kind: 'Unknown' },
  },
  {
    it: 'of another boot says nothing',
    answers: [seenBy('host-1', sighting(9e9, { bootID: 'boot-0' }))],
    view: { kind: 'Unknown' },
  },
  {
    it: 'that its keeper holds as the next term of the boot is over in the one before, at once',
    answers: [seenBy('host-1', sighting(100, { bootID: 'boot-1.2', watchdogMs: 0 }))],
    view: { kind: 'Followed', by: 'host-1', next: 'boot-1.2' },
  },
  {
    it: 'that its keeper holds as the next term is over, although a late write of the one before landed elsewhere',
    answers: [seenBy('host-1', sighting(100, BOTH), sighting(100, { ...BOTH, bootID: 'boot-1.2' }, 'b'))],
    view: { kind: 'Followed' },
  },
  {
    it: 'of a later term in the file of another host says nothing',
    answers: [seenBy('host-1', sighting(100, { bootID: 'boot-1.2', host: 'host-3' }))],
    view: { kind: 'Unknown' },
  },
  {
    it: 'that is in the file of another host says nothing',
    answers: [seenBy('host-1', sighting(9e9, { host: 'host-3' }))],
    view: { kind: 'Unknown' },
  },
  {
    it: 'that holds no record says nothing',
    answers: [seenBy('host-1', { datastore: 'a', silentMs: 9e9, changed: false })],
    view: { kind: 'Unknown' },
  },
  { it: 'that nobody was there to see is unknown', answers: [], view: { kind: 'Unknown' } },
  {
    it: 'is not judged by what its own host says',
    answers: [seenBy('host-2', sighting(9e9))],
    view: { kind: 'Unknown' },
  },
  {
    it: 'on two datastores is alive by either of them',
    answers: [seenBy('host-1', sighting(9e9, BOTH), sighting(1_000, BOTH, 'b'))],
    view: { kind: 'Alive' },
  },
  {
    it: 'on two datastores has lapsed when both were silent',
    answers: [seenBy('host-1', sighting(9e9, BOTH), sighting(ENOUGH_MS, BOTH, 'b'))],
    view: { kind: 'Lapsed', silentMs: ENOUGH_MS },
  },
  {
    it: 'on two datastores of which one never took this boot has lapsed when both were silent',
    answers: [seenBy('host-1', sighting(9e9, BOTH), { datastore: 'b', silentMs: ENOUGH_MS - 5, changed: false })],
    view: { kind: 'Silent', remainingMs: 5 },
  },
  {
    it: 'on two datastores of which the reader sees one proves nothing',
    answers: [seenBy('host-1', sighting(9e9, BOTH))],
    view: { kind: 'Unknown' },
  },
  {
    it: 'with records that contradict each other proves nothing',
    answers: [seenBy('host-1', sighting(9e9, BOTH), sighting(9e9, { ...BOTH, watchdogMs: 0 }, 'b'))],
    view: { kind: 'Unknown' },
  },
];

describe('a storage lease', () => {
  it.each(ROWS)('$it', ({ answers, view }) => {
    expect(judgeLease('host-2', 'boot-1', answers)).toMatchObject(view);
  });
});

describe('the keeper of a lease', () => {
  const held: KeeperState = { heldUntilMs: 10_000, lapsed: false };

  it('feeds the watchdog while the lease is held', () => {
    expect(keeperStep(held, 9_999, () => 3)).toEqual({ state: held, feed: true, kill: false });
  });

  it('feeds it no more and kills the guests when the lease was not renewed in time', () => {
    expect(keeperStep(held, 10_000, () => 3)).toMatchObject({ state: { lapsed: true }, feed: false, kill: true });
  });

  it('feeds it again once no guest is left, so that the host is not reset for nothing', () => {
    expect(keeperStep({ ...held, lapsed: true }, 11_000, () => 0)).toMatchObject({ feed: true, kill: false });
  });

  it('kills nothing on a host that never held a lease in this boot', () => {
    expect(keeperStep({ lapsed: false }, 9e9, () => 3)).toMatchObject({ feed: true, kill: false });
  });

  it('has the lease from the beginning of a write, and not from its end', () => {
    expect(renewed(held, 4_000, 9_000, 14_000)).toEqual({ heldUntilMs: 18_000, lapsed: false });
  });

  it('does not get a lapsed lease back, by a write that came too late or by a later one', () => {
    expect(renewed(held, 4_000, 10_000, 14_000).lapsed).toBe(true);
    expect(renewed({ ...held, lapsed: true }, 20_000, 20_001, 14_000).lapsed).toBe(true);
  });

  it('loses nothing by a write that an earlier one has overtaken', () => {
    expect(renewed(held, -9_000, 9_000, 14_000).heldUntilMs).toBe(10_000);
  });
});

/**
 * A host whose keeper is paused at any point, whose writes land late or never, and whose clocks are off, beside a reader whose
 * reads take their time. True time in milliseconds.
 */
describe('whatever happens to a host', () => {
  const TIMES = { selfFenceMs: 1_400, watchdogMs: 800 };
  const rate = fc.double({ min: 0.995, max: 1.005, noNaN: true });
  /** One turn of the keeper: how long it was away before, and how long between finding that it may feed and feeding. */
  const turn = fc.record({
    away: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 50, max: 300 }) },
      { weight: 1, arbitrary: fc.nat(2_000) },
    ),
    hesitates: fc.oneof(
      { weight: 3, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 799 }) },
    ),
    kills: fc.boolean(),
  });
  const runs = fc.record({
    hostRate: rate,
    watchdogRate: rate,
    readerRate: rate,
    turns: fc.oneof(
      fc.array(turn, { minLength: 5, maxLength: 30 }),
      // The worst: found to be in time in the last moment, fed just before the reset, and never heard of again.
      fc.record({ early: fc.nat(20), hesitates: fc.integer({ min: 760, max: 795 }) }).map(({ early, hesitates }) => [
        { away: 700, hesitates: 1, kills: false },
        { away: 690 - early, hesitates: 1, kills: false },
        { away: 1, hesitates, kills: false },
        { away: 9_000, hesitates: 1, kills: false },
      ]),
    ),
    writes: fc.array(
      fc.record({
        at: fc.nat(4_000),
        lands: fc.oneof(fc.nat(100), fc.nat(6_000)),
        answers: fc.nat(300),
        works: fc.boolean(),
      }),
      { maxLength: 6 },
    ),
    reads: fc.array(fc.record({ after: fc.integer({ min: 1, max: 600 }), sees: fc.nat(50), ends: fc.nat(200) }), {
      minLength: 10,
      maxLength: 40,
    }),
  });

  it('a reader takes its lease for lapsed only when no guest of it runs any more', () => {
    let lapses = 0;
    fc.assert(
      fc.property(runs, (run) => {
        const guestsEndAt = lifeOf(run);
        const landed = run.writes
          .filter(({ works }) => works)
          .map(({ at, lands }, index) => ({ at: at + lands, sequence: index + 1 }))
          .toSorted((a, b) => a.at - b.at);
        let now = 0;
        let seen: { readonly sequence: number; readonly at: number } | undefined;
        for (const { after, sees, ends } of run.reads) {
          now += after;
          const [beganAt, seesAt, endsAt] = [now, now + sees, now + sees + ends];
          now = endsAt;
          const sequence = landed.findLast(({ at }) => at <= seesAt)?.sequence ?? 0;
          if (seen?.sequence !== sequence) seen = { sequence, at: endsAt };
          const silentMs = Math.max(0, (beganAt - seen.at) * run.readerRate);
          const answer = seenBy('host-1', {
            datastore: 'a',
            record: { ...RECORD, ...TIMES, sequence },
            silentMs,
            changed: true,
          });
          if (judgeLease('host-2', 'boot-1', [answer]).kind !== 'Lapsed') continue;
          lapses++;
          expect(guestsEndAt).toBeLessThanOrEqual(beganAt);
        }
      }),
      { numRuns: 5_000 },
    );
    expect(lapses).toBeGreaterThan(100);
  });

  type Run = typeof runs extends fc.Arbitrary<infer T> ? T : never;

  /** What the keeper knows after all writes that have been answered by now; those it knew before change nothing. */
  function withAnswered(state: KeeperState, writes: Run['writes'], now: number, clock: (at: number) => number) {
    return writes
      .filter(({ at, lands, answers, works }) => works && at + lands + answers <= now)
      .reduce((known, { at }) => renewed(known, clock(at), clock(now), TIMES.selfFenceMs), state);
  }

  /** When the last guest is gone. The host holds its lease from time 0 on, by a write that began then. */
  function lifeOf({ hostRate, watchdogRate, turns, writes }: Run): number {
    const clock = (at: number) => at * hostRate;
    let state: KeeperState = { heldUntilMs: TIMES.selfFenceMs, lapsed: false };
    let [now, fedAt, guests] = [0, 0, 1];
    const resetAt = () => fedAt + TIMES.watchdogMs / watchdogRate;
    for (const { away, hesitates, kills } of turns) {
      now += away;
      if (now >= resetAt()) return resetAt();
      state = withAnswered(state, writes, now, clock);
      const step = keeperStep(state, clock(now), () => guests);
      state = step.state;
      now += hesitates;
      if (now >= resetAt()) return resetAt();
      if (step.kill && kills) guests = 0;
      if (guests === 0) return now;
      if (step.feed) fedAt = now;
    }
    return resetAt();
  }
});
