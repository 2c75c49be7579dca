import { describe, expect, it } from 'vitest';
import { Host } from '../../../src/api/host.ts';
import { SteadyLosses } from '../../../src/controllers/ha/steady-losses.ts';
import { NOTICED_BY_ALL_MS } from '../../../src/core/ha/datastore-fault.ts';

function host(name: string, hasLost: boolean): Host {
  const loss = { reason: 'PermanentlyLost', since: '2026-01-01T00:00:00Z' };
  return Host.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Host',
    metadata: { name, uid: name, generation: 1 },
    spec: {},
    status: { datastores: [{ name: 'shared', available: !hasLost, ...(hasLost && { loss }) }], conditions: [] },
  });
}

const lostBy = (...names: readonly string[]) => ['h1', 'h2', 'h3'].map((name) => host(name, names.includes(name)));

describe('hosts that have lost a datastore', () => {
  it('are believed to be all when nothing has changed for long enough', () => {
    let nowMs = 0;
    const losses = new SteadyLosses({ monotonicMs: () => nowMs });
    expect(losses.waitMs('shared', lostBy('h1'))).toBe(NOTICED_BY_ALL_MS);
    nowMs = NOTICED_BY_ALL_MS - 1;
    expect(losses.waitMs('shared', lostBy('h1'))).toBe(1);
    nowMs += 1;
    expect(losses.waitMs('shared', lostBy('h1'))).toBe(0);
  });

  it.each([
    ['one more notices it', ['h1', 'h2']],
    ['one of them sees it again', []],
    ['it is another one', ['h2']],
  ])('are waited for anew when %s', (_what, names) => {
    let nowMs = 0;
    const losses = new SteadyLosses({ monotonicMs: () => nowMs });
    losses.waitMs('shared', lostBy('h1'));
    nowMs = NOTICED_BY_ALL_MS;
    expect(losses.waitMs('shared', lostBy(...names))).toBe(NOTICED_BY_ALL_MS);
  });

  it('of one datastore say nothing of another', () => {
    let nowMs = 0;
    const losses = new SteadyLosses({ monotonicMs: () => nowMs });
    losses.waitMs('shared', lostBy('h1'));
    nowMs = NOTICED_BY_ALL_MS;
    expect(losses.waitMs('other', lostBy('h1'))).toBe(NOTICED_BY_ALL_MS);
    expect(losses.waitMs('shared', lostBy('h1'))).toBe(0);
  });
});
