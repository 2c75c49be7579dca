import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EVENTS } from '../../../src/libvirt/events/table.ts';
import { type Libvirt, LibvirtTransportError, LifecycleEvent, openLibvirt } from '../../../src/libvirt/index.ts';
import { eventually, failure } from './eventually.ts';
import { FakeDaemon } from './fakeDaemon.ts';

const dom = { name: 'vm', uuid: '6f1c2a34-5b6d-4e7f-8091-a2b3c4d5e6f7', id: 1 };
let daemon: FakeDaemon;
let client: Libvirt;

beforeEach(async () => {
  daemon = await FakeDaemon.start();
  client = await openLibvirt({
    socketPath: daemon.socketPath,
    reconnect: { firstDelayMs: 5, maxDelayMs: 20 },
    defaultTimeoutMs: 2_000,
  });
});

afterEach(async () => {
  await client.close();
  await daemon.stop();
});

function emitLifecycle(event: number, callbackId = 0): void {
  const connection = daemon.alive[0];
  if (connection === undefined) throw new Error('no connection');
  const { procedure, message } = EVENTS.lifecycle;
  connection.write({ procedure, type: 2 }, message, { callbackId, dom, event, detail: 0 });
}

describe('events', () => {
  it('reach every listener, in order, without the number of the registration', async () => {
    const first: unknown[] = [];
    const second: number[] = [];
    await client.events.on('lifecycle', (event) => first.push(event));
    await client.events.on('lifecycle', ({ event }) => second.push(event));
    emitLifecycle(LifecycleEvent.STARTED);
    emitLifecycle(LifecycleEvent.STOPPED);
    await eventually('two events', () => second.length === 2);
    expect(first[0]).toEqual({ dom, event: LifecycleEvent.STARTED, detail: 0 });
    expect(second).toEqual([LifecycleEvent.STARTED, LifecycleEvent.STOPPED]);
  });

  it('are registered once, however many listen', async () => {
    await Promise.all([1, 2, 3].map(() => client.events.on('lifecycle', () => undefined)));
    expect(daemon.registered).toEqual([0]);
  });

  it('stop when the listener leaves', async () => {
    const seen: number[] = [];
    const off = await client.events.on('lifecycle', ({ event }) => seen.push(event));
    await client.events.on('lifecycle', ({ event }) => seen.push(100 + event));
    off();
    emitLifecycle(LifecycleEvent.STARTED);
    await eventually('the other listener', () => seen.length === 1);
    expect(seen).toEqual([102]);
  });

  it('of an ended registration are not taken for those of a new one', async () => {
    const seen: number[] = [];
    (await client.events.on('lifecycle', () => expect.unreachable()))();
    await client.events.on('lifecycle', ({ event }) => seen.push(event));
    emitLifecycle(LifecycleEvent.STARTED, 0);
    emitLifecycle(LifecycleEvent.STOPPED, 1);
    await eventually('an event', () => seen.length > 0);
    expect(seen).toEqual([LifecycleEvent.STOPPED]);
  });

  it('can be left and joined again at once, also before the daemon has answered', async () => {
    const seen: number[] = [];
    for (let round = 0; round < 5; round++) (await client.events.on('lifecycle', () => expect.unreachable()))();
    const first = client.events.on('lifecycle', () => expect.unreachable());
    const second = client.events.on('lifecycle', ({ event }) => seen.push(event));
    (await first)();
    await second;
    emitLifecycle(LifecycleEvent.STARTED, 5);
    await eventually('the event', () => seen.length === 1);
  });

  it('are subscribed to again after a break, and the consumer is told of the gap', async () => {
    const seen: number[] = [];
    const gaps: number[] = [];
    await client.events.on('lifecycle', ({ event }) => seen.push(event));
    await client.events.on('jobCompleted', () => undefined);
    client.on('eventsMissed', ({ gapMs }) => gaps.push(gapMs));
    await daemon.down();
    await daemon.listen();
    await eventually('the gap to be told', () => gaps.length === 1);
    expect(daemon.registered).toEqual([0, 21, 0, 21]);
    emitLifecycle(LifecycleEvent.STARTED);
    await eventually('an event', () => seen.length === 1);
  });

  it('say nothing of a gap to a client that never listened', async () => {
    const told: string[] = [];
    client.on('eventsMissed', () => told.push('missed'));
    client.on('connected', () => told.push('connected'));
    await daemon.down();
    await daemon.listen();
    await eventually('the connection', () => told.length > 0);
    expect(told).toEqual(['connected']);
  });

  it('can be subscribed to during a break', async () => {
    const seen: number[] = [];
    await daemon.down();
    await eventually('the client to notice', () => !client.connected);
    const subscribed = client.events.on('lifecycle', ({ event }) => seen.push(event));
    await daemon.listen();
    await subscribed;
    emitLifecycle(LifecycleEvent.STARTED);
    await eventually('an event', () => seen.length === 1);
  });

  it('refuse a subscription when the daemon stays away', async () => {
    await client.close();
    client = await openLibvirt({ socketPath: daemon.socketPath, defaultTimeoutMs: 50 });
    await daemon.down();
    await eventually('the client to notice', () => !client.connected);
    const error = await failure(
      client.events.on('lifecycle', () => undefined),
      LibvirtTransportError,
    );
    expect(error.reason).toBe('timeout');
  });

  it('that do not fit their schema close the connection', async () => {
    const lost: string[] = [];
    client.on('disconnected', ({ error }) => lost.push(error.message));
    await client.events.on('lifecycle', () => expect.unreachable());
    daemon.alive[0]?.raw({ procedure: EVENTS.lifecycle.procedure, type: 2 }, Buffer.alloc(4));
    await eventually('the connection to be closed', () => lost.length === 1);
    expect(lost[0]).toMatch(/dom\.name: message ends early/);
  });
});
