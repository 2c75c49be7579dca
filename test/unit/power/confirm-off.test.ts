import { describe, expect, it } from 'vitest';
import {
  confirmOff,
  type PowerClock,
  type PowerDevice,
  PowerError,
  type PowerReading,
} from '../../../src/power/index.ts';

const OPTIONS = { deadlineMs: 10_000, intervalMs: 500 };

/** What a device does at each call; the last one is repeated. */
type Does = 'takes' | 'On' | 'Off' | 'hangs' | PowerError;

/** Time that passes only while somebody sleeps: the earliest sleeper wakes once nothing else is left to do. */
class VirtualClock implements PowerClock {
  #now = 1_000;
  #sleepers: { at: number; wake: () => void }[] = [];
  #scheduled = false;

  monotonicMs(): number {
    return this.#now;
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { at: this.#now + delayMs, wake: resolve };
    this.#sleepers.push(sleeper);
    signal?.addEventListener('abort', () => {
      this.#sleepers = this.#sleepers.filter((each) => each !== sleeper);
      reject(signal.reason);
    });
    this.#schedule();
    await promise;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const next = this.#sleepers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) return;
      this.#sleepers = this.#sleepers.filter((each) => each !== next);
      this.#now = next.at;
      next.wake();
      if (this.#sleepers.length > 0) this.#schedule();
    });
  }
}

class ScriptedDevice implements PowerDevice {
  orders = 0;
  readonly #orders: Does[];
  readonly #readings: Does[];

  constructor(orders: Does[], readings: Does[]) {
    this.#orders = orders;
    this.#readings = readings;
  }

  async forceOff(signal: AbortSignal): Promise<void> {
    this.orders += 1;
    await play(this.#orders, signal);
  }

  async readState(signal: AbortSignal): Promise<PowerReading> {
    const did = await play(this.#readings, signal);
    return { state: did === 'Off' ? 'Off' : 'On' };
  }

  async powerOn(): Promise<void> {
    throw new Error('nobody asked to power it on');
  }
}

async function play(script: Does[], signal: AbortSignal): Promise<Does> {
  const does = script.length > 1 ? script.shift() : script[0];
  signal.throwIfAborted();
  if (does === 'hangs') {
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  }
  if (does === undefined || does instanceof Error) throw does;
  return does;
}

const failure = (reason: PowerError['reason']) => new PowerError(reason, `BMC x: ${reason}`);

describe('confirmOff', () => {
  it.each<
    [string, Does[], Does[], { ok: true; afterMs: number } | { ok: false; reason: string; says: string }, number]
  >([
    ['an obedient device', ['takes'], ['Off'], { ok: true, afterMs: 0 }, 1],
    ['a slow machine', ['takes'], ['On', 'On', 'Off'], { ok: true, afterMs: 1_000 }, 1],
    [
      'a device that takes orders and does nothing',
      ['takes'],
      ['On'],
      { ok: false, reason: 'StillOn', says: 'Not confirmed off after 10.0 s: the device took the order; it reads On' },
      4,
    ],
    [
      'one that obeys only the second order',
      ['takes'],
      ['On', 'On', 'On', 'On', 'On', 'Off'],
      { ok: true, afterMs: 2_500 },
      2,
    ],
    ['one that refuses to switch off what is off', [failure('Refused')], ['Off'], { ok: true, afterMs: 0 }, 1],
    [
      'one that cannot power off, on a machine that is off',
      [failure('NotSupported')],
      ['Off'],
      { ok: true, afterMs: 0 },
      1,
    ],
    [
      'one that drops out at first',
      [failure('Unreachable'), 'takes'],
      [failure('Unreachable'), 'Off'],
      { ok: true, afterMs: 500 },
      2,
    ],
    [
      'one that took the order and was not seen again',
      ['takes'],
      [failure('Unreachable')],
      {
        ok: false,
        reason: 'Unreachable',
        says: 'the device took the order; the state cannot be read (BMC x: Unreachable)',
      },
      4,
    ],
    [
      'one that nobody can reach',
      [failure('Unreachable')],
      [failure('Unreachable')],
      { ok: false, reason: 'Unreachable', says: 'after 10.0 s: the order failed (BMC x: Unreachable)' },
      20,
    ],
    [
      'a wrong password, at once',
      [failure('Unauthorized')],
      [failure('Unauthorized')],
      { ok: false, reason: 'Unauthorized', says: 'after 0.0 s' },
      1,
    ],
    [
      'one that lets us order, but not read',
      ['takes'],
      [failure('Unauthorized')],
      { ok: false, reason: 'Unauthorized', says: 'after 0.0 s' },
      1,
    ],
    [
      'one that says On and refuses',
      [failure('Refused')],
      ['On'],
      { ok: false, reason: 'Refused', says: 'the order failed (BMC x: Refused); it reads On' },
      20,
    ],
    [
      'one that hangs at the order',
      ['hangs'],
      ['Off'],
      {
        ok: false,
        reason: 'TimedOut',
        says: 'after 10.0 s: the device did not answer the order; it has not told its state',
      },
      1,
    ],
    [
      'one that hangs at its first reading',
      ['takes'],
      ['hangs'],
      { ok: false, reason: 'TimedOut', says: 'the device took the order; it has not told its state' },
      1,
    ],
    [
      'one that read On and then hangs',
      ['takes'],
      ['On', 'hangs'],
      { ok: false, reason: 'StillOn', says: 'the device took the order; it reads On' },
      1,
    ],
    [
      'one that hangs at the second order',
      ['takes', 'hangs'],
      ['On'],
      { ok: false, reason: 'StillOn', says: 'the device took the order; it reads On' },
      2,
    ],
  ])('%s', async (_name, orders, readings, expected, orderCount) => {
    const clock = new VirtualClock();
    const device = new ScriptedDevice(orders, readings);
    const result = await confirmOff(device, { ...OPTIONS, clock }, new AbortController().signal);
    if (expected.ok) expect(result).toEqual({ ok: true, confirmedAt: 1_000 + expected.afterMs });
    else
      expect(result).toMatchObject({
        ok: false,
        reason: expected.reason,
        message: expect.stringContaining(expected.says),
      });
    expect(device.orders).toBe(orderCount);
    expect(clock.monotonicMs()).toBeLessThanOrEqual(1_000 + OPTIONS.deadlineMs);
  });

  it("ends with its caller's reason", async () => {
    const caller = new AbortController();
    const asked = confirmOff(
      new ScriptedDevice(['takes'], ['hangs']),
      { ...OPTIONS, clock: new VirtualClock() },
      caller.signal,
    );
    caller.abort(new Error('no longer leader'));
    await expect(asked).rejects.toThrow('no longer leader');
  });

  it('does not take a defect for an answer', async () => {
    const device = new ScriptedDevice(['takes'], ['Off']);
    device.readState = async () => {
      throw new TypeError('defect');
    };
    const asked = confirmOff(device, { ...OPTIONS, clock: new VirtualClock() }, new AbortController().signal);
    await expect(asked).rejects.toThrow(TypeError);
  });
});
