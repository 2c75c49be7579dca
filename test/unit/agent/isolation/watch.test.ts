import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { IsolationOrders } from '../../../../src/agent/isolation/orders.ts';
import { watchIsolation } from '../../../../src/agent/isolation/watch.ts';
import { Host } from '../../../../src/api/host.ts';
import type { HostIsolation } from '../../../../src/api/host-isolation.ts';
import { CONFIRM_MS, CUT_OFF_AFTER_MS } from '../../../../src/core/ha/isolation.ts';
import { createMetrics } from '../../../../src/runtime/index.ts';
import { VirtualClock } from '../../kube/virtual-clock.ts';

const ORDERS: HostIsolation = {
  response: 'PowerOff',
  yieldLease: true,
  peers: [{ name: 'host-2', address: '192.0.2.2', port: 9443 }],
};

/** An agent whose host is cut off from the beginning, while others go on. */
async function cutOff({
  orders = ORDERS,
  domains = 1,
  hasReachedApi = true,
}: {
  orders?: HostIsolation;
  domains?: number | undefined;
  hasReachedApi?: boolean;
} = {}) {
  const clock = new VirtualClock();
  const world = { contactMs: 0, peerAnswers: false, othersReachApi: true, domains: domains as number | undefined };
  const yielded: number[] = [];
  const notes: string[] = [];
  const own = Host.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Host',
    metadata: { name: 'host-1', uid: 'h', generation: 1 },
    spec: {},
    status: { isolation: orders, conditions: [] },
  });
  let kept: HostIsolation | undefined;
  const watch = watchIsolation({
    host: 'host-1',
    hosts: { get: () => own } as unknown as Parameters<typeof watchIsolation>[0]['hosts'],
    orders: {
      get: () => kept,
      keep: async (told) => {
        kept = told;
      },
    },
    apiSilentMs: () => clock.monotonicMs() - world.contactMs,
    answers: async () => world.peerAnswers,
    othersReachApi: () => world.othersReachApi,
    domainsLeft: () => world.domains,
    hasYieldedBefore: false,
    hasReachedApi: () => hasReachedApi,
    yieldLease: () => yielded.push(clock.monotonicMs()),
    events: { record: ({ note }: { note: string }) => notes.push(note) } as unknown as Parameters<
      typeof watchIsolation
    >[0]['events'],
    clock,
    log: pino({ enabled: false }),
    metrics: createMetrics(),
  });
  const stop = new AbortController();
  void watch.run(stop.signal);
  onTestFinished(() => stop.abort());
  let told = 0;
  watch.onChange(() => told++);
  return { clock, world, watch, yielded, notes, timesTold: () => told };
}

const ISOLATED_MS = CUT_OFF_AFTER_MS + CONFIRM_MS + 2_000;

describe('an agent whose host alone is cut off', () => {
  it('says what to do with its VMs when it is sure, and not before', async () => {
    const { clock, watch, timesTold } = await cutOff();
    await clock.advance(CUT_OFF_AFTER_MS + CONFIRM_MS - 1_000);
    expect([watch.stop(), timesTold()]).toEqual([undefined, 0]);
    await clock.advance(3_000);
    expect([watch.stop(), timesTold()]).toEqual(['PowerOff', 1]);
  });

  it('leaves them alone where the policy says so, and keeps the lease', async () => {
    const { clock, watch, yielded } = await cutOff({ orders: { ...ORDERS, response: 'LeavePoweredOn' }, domains: 0 });
    await clock.advance(2 * ISOLATED_MS);
    expect([watch.stop(), yielded]).toEqual([undefined, []]);
  });

  it('gives the lease up once, when no VM is left, and not while it does not know', async () => {
    const { clock, world, yielded } = await cutOff();
    await clock.advance(ISOLATED_MS);
    expect(yielded).toEqual([]);
    world.domains = undefined;
    await clock.advance(2_000);
    expect(yielded).toEqual([]);
    world.domains = 0;
    await clock.advance(5_000);
    expect(yielded).toHaveLength(1);
  });

  it('has nothing to give up when it has begun without the API server, and nothing runs there', async () => {
    const { clock, watch, yielded } = await cutOff({ domains: 0, hasReachedApi: false });
    await clock.advance(ISOLATED_MS);
    expect([watch.stop(), yielded]).toEqual(['PowerOff', []]);
  });

  it('keeps the lease where no policy goes by it', async () => {
    const { clock, watch, yielded } = await cutOff({ orders: { ...ORDERS, yieldLease: false }, domains: 0 });
    await clock.advance(ISOLATED_MS);
    expect([watch.stop(), yielded]).toEqual(['PowerOff', []]);
  });

  it('takes everything back when the API server answers, and tells what it did', async () => {
    const { clock, world, watch, notes, timesTold } = await cutOff();
    await clock.advance(ISOLATED_MS);
    world.contactMs = clock.monotonicMs();
    await clock.advance(2_000);
    expect([watch.stop(), timesTold()]).toEqual([undefined, 2]);
    expect(watch.report()).toMatchObject({ type: 'Isolated', status: 'False', reason: 'WasIsolated' });
    expect(notes).toEqual([watch.report().message]);
    expect(notes[0]).toContain('its VMs were powered off');
  });

  it.each([
    ['a peer answers', { peerAnswers: true }],
    ['all have lost the API server', { othersReachApi: false }],
  ])('does nothing, and has nothing to tell, when %s', async (_what, changes) => {
    const { clock, world, watch, notes, yielded } = await cutOff({ domains: 0 });
    Object.assign(world, changes);
    await clock.advance(10 * ISOLATED_MS);
    world.contactMs = clock.monotonicMs();
    await clock.advance(2_000);
    expect([watch.stop(), notes, yielded, watch.report().reason]).toEqual([undefined, [], [], 'Connected']);
  });
});

describe('what the operator has told about isolation', () => {
  function folder(): string {
    const path = mkdtempSync(join(tmpdir(), 'drover-isolation-'));
    onTestFinished(() => rmSync(path, { recursive: true, force: true }));
    return path;
  }

  it('is known to the next agent, which may not reach the API server', async () => {
    const path = folder();
    const first = await IsolationOrders.load(path);
    expect(first.get()).toBeUndefined();
    await first.keep(ORDERS);
    expect((await IsolationOrders.load(path)).get()).toEqual(ORDERS);
    await first.keep(undefined);
    expect((await IsolationOrders.load(path)).get()).toBeUndefined();
  });

  it('is nothing where the file is damaged: VMs run on', async () => {
    const path = folder();
    writeFileSync(join(path, 'isolation.json'), '{"response":"PowerO');
    expect((await IsolationOrders.load(path)).get()).toBeUndefined();
    writeFileSync(join(path, 'isolation.json'), '{"response":"Explode","peers":[]}');
    expect((await IsolationOrders.load(path)).get()).toBeUndefined();
  });
});
