import { describe, expect, it } from 'vitest';
import { KubeError } from '../../../src/kube/index.ts';
import { Term } from '../../../src/kube/term.ts';
import { VirtualClock } from './virtual-clock.ts';

describe('a term of leadership', () => {
  it('ends by itself when no renewal extends it', async () => {
    const clock = new VirtualClock();
    const term = new Term('a', 3, clock);
    term.extendTo(10_000);
    await clock.advance(6_000);
    expect(term.remainingMs('write')).toBe(4_000);
    term.extendTo(16_000);
    await clock.advance(9_999);
    expect(term.signal.aborted).toBe(false);
    await clock.advance(1);
    expect([term.signal.aborted, term.isLost()]).toEqual([true, true]);
  });

  it('refuses the first write after a freeze, before any timer could fire', () => {
    const clock = new VirtualClock();
    const term = new Term('a', 3, clock);
    term.extendTo(10_000);
    clock.freeze(60_000);
    expect(term.signal.aborted).toBe(false);
    expect(() => term.remainingMs('apply things x')).toThrow(
      'apply things x: not sent, because a is no longer the leader: its lease could not be renewed in time',
    );
    expect([term.signal.aborted, term.isLost()]).toEqual([true, true]);
  });

  it('does not come back to life by a renewal that was under way', () => {
    const clock = new VirtualClock();
    const term = new Term('a', 3, clock);
    term.extendTo(10_000);
    term.end('lost', 'the lease is held by "b"');
    term.extendTo(20_000);
    expect(() => term.remainingMs('write')).toThrow(/held by "b"/);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is not lost when its work is done', () => {
    const term = new Term('a', 3, new VirtualClock());
    term.extendTo(10_000);
    term.end('ended', 'its work is done');
    term.end('lost', 'too late to matter');
    expect([term.signal.aborted, term.isLost()]).toEqual([true, false]);
    expect(term.signal.reason).toBeInstanceOf(KubeError);
  });
});
