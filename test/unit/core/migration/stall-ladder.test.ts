import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MigrationProgress } from '../../../../src/api/virtual-machine-instance-migration.ts';
import {
  beginStall,
  DOWNTIME_LADDER_MS,
  firstDowntimeMs,
  lookAtStall,
  type StallAction,
  type StallLimits,
} from '../../../../src/core/migration/stall-ladder.ts';

const MIB = 2 ** 20;
const LIMITS: StallLimits = {
  maxDowntimeMilliseconds: 500,
  postCopy: false,
  progressTimeoutSeconds: 150,
  completionTimeoutSeconds: 1_000,
};

function progress(changes: Partial<MigrationProgress>): MigrationProgress {
  return {
    at: '',
    totalBytes: 1024 * MIB,
    processedBytes: 0,
    remainingBytes: 0,
    bytesPerSecond: 100 * MIB,
    dirtiedBytesPerSecond: 200 * MIB,
    iteration: 1,
    maxDowntimeMilliseconds: 100,
    throttlePercent: 0,
    postCopy: false,
    ...changes,
  };
}

interface Look {
  readonly seconds: number;
  readonly iteration: number;
  readonly remainingMib: number;
}

/** Looks one after the other, allowing what is asked for, until it is over. */
function run(looks: readonly Look[], limits: StallLimits = LIMITS): StallAction[] {
  let state = beginStall(0);
  let downtime = firstDowntimeMs(limits, 'kvm');
  const actions: StallAction[] = [];
  for (const { seconds, iteration, remainingMib } of looks) {
    const seen = progress({ iteration, remainingBytes: remainingMib * MIB, maxDowntimeMilliseconds: downtime });
    const looked = lookAtStall(state, seen, limits, { nowMs: seconds * 1000, startedMs: 0 });
    state = looked.state;
    if (looked.action === undefined) continue;
    actions.push(looked.action);
    if (looked.action.action !== 'AllowDowntime') break;
    downtime = looked.action.milliseconds;
  }
  return actions;
}

/** Iterations of ten seconds that all begin with as much to copy as the one before. */
const STALLED = Array.from({ length: 60 }, (_, index) => ({
  seconds: index * 10,
  iteration: index + 1,
  remainingMib: 500,
}));

describe('a migration that stalls', () => {
  it('is allowed longer downtimes one after the other, and is given up when that does not help', () => {
    const actions = run(STALLED);
    const downtimes = actions.flatMap((each) => (each.action === 'AllowDowntime' ? [each.milliseconds] : []));
    expect(downtimes).toEqual(DOWNTIME_LADDER_MS.slice(1));
    expect(actions.at(-1)).toMatchObject({ action: 'GiveUp', reason: 'NotConverging' });
    expect(actions.at(-1)).toMatchObject({ message: expect.stringContaining('the VM stays where it is') });
  });

  it('goes on by post-copy where that is allowed', () => {
    expect(run(STALLED, { ...LIMITS, postCopy: true }).at(-1)).toMatchObject({ action: 'StartPostCopy' });
  });

  it('is never allowed more than the Cluster says', () => {
    const downtimes = run(STALLED, { ...LIMITS, maxDowntimeMilliseconds: 250 }).flatMap((each) =>
      each.action === 'AllowDowntime' ? [each.milliseconds] : [],
    );
    expect(downtimes).toEqual([150, 200, 250]);
    expect(firstDowntimeMs({ maxDowntimeMilliseconds: 40 }, 'kvm')).toBe(40);
  });

  it('is allowed the longest at once where guests are emulated', () => {
    expect(firstDowntimeMs(LIMITS, 'qemu')).toBe(500);
  });

  it('is not disturbed once the guest runs at the target', () => {
    const seen = progress({ iteration: 9, remainingBytes: 500 * MIB, postCopy: true });
    const late = { nowMs: 5_000_000, startedMs: 0 };
    expect(lookAtStall(beginStall(0), seen, { ...LIMITS, postCopy: true }, late).action).toBeUndefined();
  });
});

describe('a migration that comes nearer to its end', () => {
  it('is left alone while the first pass takes its time', () => {
    const looks = Array.from({ length: 90 }, (_, index) => ({
      seconds: index * 10,
      iteration: 1,
      remainingMib: 1000 - index * 10,
    }));
    expect(run(looks)).toEqual([]);
  });

  it('is left alone while every pass begins with less', () => {
    const looks = Array.from({ length: 9 }, (_, index) => ({
      seconds: index * 100,
      iteration: index + 1,
      remainingMib: 500 / 2 ** index,
    }));
    expect(run(looks)).toEqual([]);
  });

  it('is given up when it takes longer than the Cluster allows', () => {
    const looks = [{ seconds: 1_000, iteration: 1, remainingMib: 10 }];
    expect(run(looks)).toMatchObject([{ action: 'GiveUp', reason: 'TimedOut' }]);
  });

  it('ends one way or the other, whatever libvirt tells', () => {
    const look = fc.record({ iteration: fc.nat(50), remainingMib: fc.nat(1024) });
    fc.assert(
      fc.property(fc.array(look, { minLength: 1 }), (looks) => {
        const actions = run(
          [...looks, { iteration: 51, remainingMib: 1 }].map((each, index) => ({ ...each, seconds: index * 3_000 })),
        );
        const last = actions.at(-1);
        const downtimes = actions.flatMap((each) => (each.action === 'AllowDowntime' ? [each.milliseconds] : []));
        expect(last?.action).toBe('GiveUp');
        expect(downtimes).toEqual(downtimes.toSorted((a, b) => a - b));
      }),
    );
  });
});
