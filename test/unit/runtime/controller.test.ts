import { describe, expect, it } from 'vitest';
import { KubeError } from '../../../src/kube/index.ts';
import {
  CodedError,
  Controller,
  type ControllerOptions,
  createLogger,
  createMetrics,
  done,
  type Metrics,
  requeueAfter,
} from '../../../src/runtime/index.ts';
import { VirtualClock } from '../kube/virtual-clock.ts';

interface Setup {
  clock: VirtualClock;
  metrics: Metrics;
  controller: Controller;
  stop: AbortController;
  kill: AbortController;
  running: Promise<void>;
}

function start(reconcile: ControllerOptions['reconcile'], options: Partial<ControllerOptions> = {}): Setup {
  const clock = new VirtualClock();
  const metrics = createMetrics();
  const log = createLogger({ name: 'test', level: 'silent' });
  const controller = new Controller({ name: 'thing', sources: [], reconcile, log, metrics, clock, ...options });
  const [stop, kill] = [new AbortController(), new AbortController()];
  return { clock, metrics, controller, stop, kill, running: controller.run(stop.signal, kill.signal) };
}

async function outcomes(metrics: Metrics): Promise<Record<string, number>> {
  const metric = await metrics.registry.getSingleMetric('drover_reconcile_total')?.get();
  return Object.fromEntries((metric?.values ?? []).map(({ labels, value }) => [String(labels['outcome']), value]));
}

describe('Controller', () => {
  it('makes one more pass for a key, not three, that is asked for three times while it is worked on', async () => {
    const passes: string[] = [];
    const { clock, controller } = start(async (key) => {
      passes.push(key);
      return done;
    });
    for (const key of ['a', 'b', 'a', 'a', 'a']) controller.enqueue(key);
    await clock.advance(60_000);
    expect(passes).toEqual(['a', 'b', 'a']);
  });

  it('tries again after a transient failure with growing delay, until it succeeds', async () => {
    const atMs: number[] = [];
    const { clock, controller, metrics } = start(async (_key, context) => {
      atMs.push(context.clock.monotonicMs());
      if (atMs.length < 5) throw new CodedError('LibvirtUnavailable', 'the socket is gone');
      return done;
    });
    controller.enqueue('a');
    await clock.advance(600_000);
    const gaps = atMs.slice(1).map((each, index) => each - (atMs[index] ?? 0));
    expect(gaps).toHaveLength(4);
    for (const [index, gap] of gaps.entries()) {
      expect(gap).toBeLessThanOrEqual(10 * 2 ** index);
      expect(gap).toBeGreaterThanOrEqual(8 * 2 ** index);
    }
    expect(await outcomes(metrics)).toEqual({ LibvirtUnavailable: 4, done: 1 });
  });

  it('stays away from an overloaded API server for as long as that asks', async () => {
    const atMs: number[] = [];
    const { clock, controller } = start(async (_key, context) => {
      atMs.push(context.clock.monotonicMs());
      if (atMs.length > 1) return done;
      throw new KubeError({ code: 429, reason: 'TooManyRequests', message: 'slow down', retryAfterMs: 3_000 });
    });
    controller.enqueue('a');
    await clock.advance(10_000);
    expect(atMs).toEqual([0, 3_000]);
  });

  it('looks again after the fixed time of a waiting failure or a result', async () => {
    const atMs: number[] = [];
    const { clock, controller } = start(async (_key, context) => {
      atMs.push(context.clock.monotonicMs());
      if (atMs.length === 1) throw new CodedError('NoHostFits', 'none fits', { requeueAfterMs: 700 });
      return atMs.length === 2 ? requeueAfter(300, 'the guest is shutting down') : done;
    });
    controller.enqueue('a');
    await clock.advance(600_000);
    expect(atMs).toEqual([0, 700, 1_000]);
  });

  it('does not try again after a terminal failure until it is asked to', async () => {
    let passes = 0;
    const { clock, controller } = start(async () => {
      passes += 1;
      throw new CodedError('BadSpec', 'no such machine type');
    });
    controller.enqueue('a');
    await clock.advance(600_000);
    expect(passes).toBe(1);
    controller.enqueue('a');
    await clock.advance(0);
    expect(passes).toBe(2);
  });

  it('aborts a pass that takes too long, and tries again', async () => {
    let passes = 0;
    const { clock, controller, metrics } = start(
      async (_key, { signal, clock: time }) => {
        passes += 1;
        if (passes === 1) await time.sleep(1_000_000, signal);
        return done;
      },
      { reconcileTimeoutMs: 5_000 },
    );
    controller.enqueue('a');
    await clock.advance(6_000);
    expect(await outcomes(metrics)).toEqual({ Timeout: 1, done: 1 });
  });

  it('works on as many keys at once as it may, and on others meanwhile when one hangs', async () => {
    const begun: string[] = [];
    const { clock, controller } = start(
      async (key, { signal, clock: time }) => {
        begun.push(key);
        if (key === 'hangs') await time.sleep(1_000_000, signal);
        return done;
      },
      { concurrency: 2, reconcileTimeoutMs: 10_000_000 },
    );
    for (const key of ['hangs', 'a', 'b', 'c']) controller.enqueue(key);
    await clock.advance(1);
    expect(begun).toEqual(['hangs', 'a', 'b', 'c']);
  });

  it('lets passes under way end when it is stopped, and begins no other', async () => {
    const ended: string[] = [];
    const { clock, controller, stop, running } = start(
      async (key, { clock: time }) => {
        await time.sleep(1_000);
        ended.push(key);
        return done;
      },
      { concurrency: 1 },
    );
    controller.enqueue('a');
    controller.enqueue('b');
    await clock.advance(10);
    stop.abort();
    await clock.advance(1_000);
    await running;
    expect(ended).toEqual(['a']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('aborts passes under way when it is killed', async () => {
    const { clock, controller, kill, running } = start(async (_key, { signal, clock: time }) => {
      await time.sleep(1_000_000, signal);
      return done;
    });
    controller.enqueue('a');
    await clock.advance(10);
    kill.abort(new Error('leadership lost'));
    await clock.advance(0);
    await running;
    expect(clock.pendingTimers).toBe(0);
  });
});
