import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  isLibvirtError,
  type Libvirt,
  LibvirtError,
  type LibvirtOptions,
  LibvirtTransportError,
  openLibvirt,
  XdrValueError,
} from '../../../src/libvirt/index.ts';
import { eventually, failure } from './eventually.ts';
import { FakeDaemon } from './fakeDaemon.ts';

let daemon: FakeDaemon;
const clients: Libvirt[] = [];

async function open(options: Partial<LibvirtOptions> = {}): Promise<Libvirt> {
  const client = await openLibvirt({
    socketPath: daemon.socketPath,
    reconnect: { firstDelayMs: 5, maxDelayMs: 20 },
    ...options,
  });
  clients.push(client);
  return client;
}

/** A client whose lane has a connection already: what is called next is sent at once, on however slow a machine. */
async function openWarm(options: Partial<LibvirtOptions> = {}): Promise<Libvirt> {
  const client = await open(options);
  daemon.onCall = (call) => call.reply({ hostname: 'warm' });
  await client.call('connectGetHostname', {}, { timeoutMs: 15_000 });
  await client.call('domainRestoreFlags', { from: '/warm' }, { timeoutMs: 15_000 });
  return client;
}

beforeEach(async () => {
  daemon = await FakeDaemon.start();
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await daemon.stop();
});

describe('opening', () => {
  it('asks the daemon to open the driver of the URI', async () => {
    const opened: unknown[] = [];
    daemon.onOpen = (call) => {
      opened.push(call.args);
      call.reply({});
    };
    await open({ uri: 'qemu:///session' });
    expect(opened).toEqual([{ name: 'qemu:///session', flags: 0 }]);
  });

  it('says that there is no socket', async () => {
    const error = await failure(openLibvirt({ socketPath: '/nowhere/sock' }), LibvirtTransportError);
    expect(error).toMatchObject({ reason: 'unreachable', mayHaveRun: false });
    expect(error.message).toMatch(
      /\/nowhere\/sock cannot be reached: .*there is no such socket; is libvirtd running\?/,
    );
  });

  it('says which authentication the daemon wants and what to set', async () => {
    daemon.authTypes = [1, 2];
    const error = await failure(open(), LibvirtTransportError);
    expect(error.reason).toBe('refused');
    expect(error.message).toMatch(/wants authentication by SASL or polkit.*auth_tls to "none"/);
  });

  it('passes on why the daemon cannot open the driver', async () => {
    daemon.onOpen = (call) => call.fail(5, 'no connection driver available for qemu:///system');
    const error = await failure(open(), LibvirtTransportError);
    expect(error.reason).toBe('refused');
    expect(error.message).toMatch(/cannot open qemu:\/\/\/system: .*no connection driver available/);
    expect(error.cause).toBeInstanceOf(LibvirtError);
  });

  it('closes the connection when it could not be opened', async () => {
    daemon.onOpen = (call) => call.fail(5, 'no');
    await failure(open(), LibvirtTransportError);
    await eventually('the client to hang up', () => daemon.alive.length === 0);
  });
});

describe('calls', () => {
  it('resolve with the decoded reply', async () => {
    daemon.onCall = (call) => call.reply({ state: 1, reason: 5 });
    const client = await open();
    const dom = { uuid: '6f1c2a34-5b6d-4e7f-8091-a2b3c4d5e6f7' };
    expect(await client.call('domainGetState', { dom })).toEqual({ state: 1, reason: 5 });
  });

  it('reject with what libvirt says, by name', async () => {
    daemon.onCall = (call) => call.fail(42, 'Domain not found');
    const client = await open();
    const error = await failure(client.call('domainLookupByName', { name: 'vm' }), LibvirtError);
    expect(error).toMatchObject({
      code: 42,
      codeName: 'NO_DOMAIN',
      domain: 10,
      domainName: 'QEMU',
      level: 2,
      procedure: 'domainLookupByName',
    });
    expect(error.message).toBe('domainLookupByName: Domain not found (libvirt NO_DOMAIN)');
    expect(isLibvirtError(error, 'NO_DOMAIN')).toBe(true);
    expect(isLibvirtError(error, 'NO_NETWORK', 'OPERATION_INVALID')).toBe(false);
  });

  it('are refused before anything is sent when a value does not fit', async () => {
    const client = await open();
    const error = await failure(client.call('domainSuspend', { dom: { uuid: 'web-1' } }), XdrValueError);
    expect(error.message).toBe('domainSuspend: dom.uuid: "web-1" is not a UUID');
  });

  it('never have more than four unanswered on one connection', async () => {
    const held = daemon.hold();
    const client = await open({ lanes: { call: 2 } });
    const calls = Array.from({ length: 20 }, () => client.call('connectGetHostname'));
    const perConnection = () => Map.groupBy(held, ({ connection }) => connection);
    await eventually('all places to be taken', () => held.length === 8);
    expect([...perConnection().values()].map((group) => group.length)).toEqual([4, 4]);
    for (let answered = 0; answered < 20; answered++) {
      await eventually('the next request', () => held.length > answered);
      held[answered]?.reply({ hostname: String(answered) });
      await eventually('its place to be filled', () => held.length === Math.min(20, 9 + answered));
    }
    expect((await Promise.all(calls)).map(({ hostname }) => Number(hostname)).toSorted((a, b) => a - b)).toEqual([
      ...Array(20).keys(),
    ]);
  });

  it('match replies that come in any order', async () => {
    const held = daemon.hold();
    const client = await open();
    const names = ['a', 'b', 'c', 'd'];
    const calls = names.map((name) => client.call('domainLookupByName', { name }));
    await eventually('four requests', () => held.length === 4);
    for (const call of held.toReversed()) {
      const { name } = call.args as { name: string };
      call.reply({ dom: { name, uuid: '0'.repeat(32), id: 1 } });
    }
    expect((await Promise.all(calls)).map(({ dom }) => dom.name)).toEqual(names);
  });

  it('of long jobs do not hold up quick ones', async () => {
    daemon.onCall = (call) => {
      if (call.name === 'connectGetHostname') call.reply({ hostname: 'h' });
    };
    const client = await open({ lanes: { call: 1, job: 1 } });
    const jobs = Array.from({ length: 10 }, () => client.call('domainRestoreFlags', { from: '/f' }));
    jobs.forEach((job) => void job.catch(() => undefined));
    expect(await client.call('connectGetHostname')).toEqual({ hostname: 'h' });
  });
});

describe('limits', () => {
  it('end a call that is not answered, and say that it may have run', async () => {
    const client = await openWarm();
    daemon.hold();
    const error = await failure(client.call('connectGetHostname', {}, { timeoutMs: 30 }), LibvirtTransportError);
    expect(error).toMatchObject({ reason: 'timeout', mayHaveRun: true });
    expect(error.message).toMatch(/no answer within 0.03 s/);
  });

  it('end a call that was never sent, and say that it has not run', async () => {
    const client = await openWarm({ lanes: { call: 1 } });
    daemon.hold();
    const sent = Array.from({ length: 4 }, () => client.call('connectGetHostname', {}, { timeoutMs: 500 }));
    const late = client.call('connectGetHostname', {}, { timeoutMs: 30 });
    const error = await failure(late, LibvirtTransportError);
    expect(error).toMatchObject({ reason: 'timeout', mayHaveRun: false });
    expect(error.message).toMatch(/not sent within 0.03 s, it waited for one of the 4 places/);
    await Promise.allSettled(sent);
  });

  it('end a call at its signal', async () => {
    const held = daemon.hold();
    const client = await open();
    const controller = new AbortController();
    const call = client.call('connectGetHostname', {}, { signal: controller.signal });
    await eventually('the request', () => held.length === 1);
    controller.abort(new Error('shutting down'));
    const error = await failure(call, LibvirtTransportError);
    expect(error).toMatchObject({ reason: 'aborted', mayHaveRun: true, cause: { message: 'shutting down' } });
  });

  it('send nothing when the signal is set already', async () => {
    const held = daemon.hold();
    const client = await open();
    const error = await failure(
      client.call('connectGetHostname', {}, { signal: AbortSignal.abort() }),
      LibvirtTransportError,
    );
    expect(error).toMatchObject({ reason: 'aborted', mayHaveRun: false });
    expect(held).toEqual([]);
  });

  it('do not let calls that are never answered use up the places', async () => {
    const client = await openWarm({ lanes: { call: 1, job: 1 } });
    let stuck = 0;
    daemon.onCall = (call) => {
      if (call.name === 'connectGetHostname') stuck++;
      else call.reply({ uri: 'qemu:///system' });
    };
    const lost = Array.from({ length: 8 }, () => client.call('connectGetHostname', {}, { timeoutMs: 40 }));
    await Promise.allSettled(lost);
    expect(stuck).toBeGreaterThanOrEqual(4);
    expect(await client.call('connectGetUri')).toEqual({ uri: 'qemu:///system' });
    await eventually('connections of given-up calls to be closed', () => daemon.alive.length === 3);
  });

  it('keep the other calls of a connection when one of its calls is given up', async () => {
    const client = await openWarm({ lanes: { call: 1 } });
    const held = daemon.hold();
    const kept = client.call('connectGetHostname', {}, { timeoutMs: 5_000 });
    const given = client.call('connectGetUri', {}, { timeoutMs: 30 });
    await failure(given, LibvirtTransportError);
    held.find(({ name }) => name === 'connectGetHostname')?.reply({ hostname: 'kept' });
    expect(await kept).toEqual({ hostname: 'kept' });
  });

  it('by default do not apply to a job that is under way', async () => {
    const client = await openWarm({ defaultTimeoutMs: 40 });
    const held = daemon.hold();
    const job = client.call('domainRestoreFlags', { from: '/f' });
    await eventually('the request', () => held.length === 1);
    await failure(client.call('connectGetHostname'), LibvirtTransportError);
    held[0]?.reply({});
    await expect(job).resolves.toBeDefined();
  });
});

describe('a broken connection', () => {
  it('rejects the calls in flight and says that they may have run', async () => {
    const held = daemon.hold();
    const client = await open();
    const call = client.call('connectGetHostname');
    await eventually('the request', () => held.length === 1);
    held[0]?.connection.socket.destroy();
    const error = await failure(call, LibvirtTransportError);
    expect(error).toMatchObject({ reason: 'lost', mayHaveRun: true });
    expect(error.message).toMatch(
      /connectGetHostname: no answer, and libvirt may have run it or not; look before trying again/,
    );
  });

  it('is replaced, and calls made meanwhile wait for the new one', async () => {
    const client = await open();
    await daemon.down();
    await eventually('the client to notice', () => !client.connected);
    const call = client.call('connectGetHostname');
    daemon.onCall = (asked) => asked.reply({ hostname: 'back' });
    await daemon.listen();
    expect(await call).toEqual({ hostname: 'back' });
    await eventually('the client to say so', () => client.connected);
  });

  it('that does not return ends waiting calls at their limit, with the reason', async () => {
    const client = await open();
    await daemon.down();
    await eventually('the client to notice', () => !client.connected);
    const error = await failure(client.call('connectGetHostname', {}, { timeoutMs: 1_000 }), LibvirtTransportError);
    expect(error).toMatchObject({ reason: 'timeout', mayHaveRun: false });
    expect(error.message).toMatch(/waited for a connection. The last attempt failed: .*cannot be reached/);
  });

  it('is not tried again for every call that waits', async () => {
    const client = await open({ reconnect: { firstDelayMs: 60_000, maxDelayMs: 60_000 } });
    await daemon.down();
    await eventually('the client to notice', () => !client.connected);
    await failure(client.call('connectGetHostname', {}, { timeoutMs: 20 }), LibvirtTransportError);
    await daemon.listen();
    const opened = daemon.connections.length;
    await failure(client.call('connectGetHostname', {}, { timeoutMs: 50 }), LibvirtTransportError);
    expect(daemon.connections).toHaveLength(opened);
  });

  it('tells the consumer of both ends of the break', async () => {
    const client = await open();
    const seen: string[] = [];
    client.on('disconnected', ({ error }) => seen.push(`disconnected: ${error.reason}`));
    client.on('connected', () => seen.push('connected'));
    await daemon.down();
    await daemon.listen();
    await eventually('the new connection', () => seen.length === 2);
    expect(seen).toEqual(['disconnected: lost', 'connected']);
  });
});

describe('what the protocol forbids', () => {
  it.each([
    [
      'a frame over the limit',
      (c: FakeConn) => c.socket.write(Buffer.from('02000005', 'hex')),
      /frame of 33554437 bytes announced/,
    ],
    [
      'a frame shorter than a header',
      (c: FakeConn) => c.socket.write(Buffer.from('00000008', 'hex')),
      /frame of 8 bytes announced/,
    ],
    [
      'a message type that does not exist',
      (c: FakeConn) => c.raw({ type: 7 as 1 }, new Uint8Array()),
      /7 is not a message type/,
    ],
    ['an answer to nothing', (c: FakeConn) => c.raw({ serial: 999 }, new Uint8Array()), /reply to serial 999/],
    ['a call', (c: FakeConn) => c.raw({ type: 0 }, new Uint8Array()), /a call, which only clients make/],
    ['a stream that was never started', (c: FakeConn) => c.raw({ version: 2 }, new Uint8Array()), /version 2/],
  ])('%s closes the connection with a reason', async (_, send, message) => {
    const client = await open();
    const lost = new Promise<LibvirtTransportError>((resolve) => {
      client.on('disconnected', ({ error }) => resolve(error));
    });
    const events = daemon.connections[0];
    if (events === undefined) throw new Error('no connection');
    send(events);
    const error = await lost;
    expect(error.reason).toBe('protocol');
    expect(error.message).toMatch(message);
  });

  it('a text over the limit in a reply fails its call and the connection', async () => {
    daemon.onCall = (call) => {
      const { serial, procedure } = call.header;
      call.connection.raw({ serial, procedure }, Buffer.from('00400001', 'hex'));
    };
    const client = await open();
    const error = await failure(client.call('connectGetHostname'), LibvirtTransportError);
    expect(error).toMatchObject({ reason: 'protocol', mayHaveRun: true });
    expect(error.message).toMatch(/hostname: 4194305 bytes of text announced, the protocol's limit is 4194304/);
  });

  it('a reply of another procedure is not taken for an answer', async () => {
    daemon.onCall = (call) => call.connection.raw({ serial: call.header.serial, procedure: 6 }, Buffer.alloc(4));
    const client = await open();
    const error = await failure(client.call('connectGetHostname'), LibvirtTransportError);
    expect(error.message).toMatch(/a reply of procedure 6 to a call of connectGetHostname/);
  });
});

type FakeConn = FakeDaemon['connections'][number];

describe('signs of life', () => {
  it('are given when the daemon asks', async () => {
    await open();
    const [connection] = daemon.connections;
    connection?.ping();
    await eventually('the answer', () => connection?.pongs === 1);
  });

  it('are asked for when the daemon is silent', async () => {
    const client = await open({ keepalive: { intervalMs: 10, missedMax: 3 } });
    await eventually('several pings', () => (daemon.connections[0]?.pings ?? 0) > 5);
    expect(client.connected).toBe(true);
  });

  it('that stay away end the connection and its calls', async () => {
    const held = daemon.hold();
    const client = await open({ keepalive: { intervalMs: 10, missedMax: 3 } });
    const call = client.call('connectGetHostname');
    await eventually('the request', () => held.length === 1);
    for (const connection of daemon.connections) connection.mute = true;
    const error = await failure(call, LibvirtTransportError);
    expect(error).toMatchObject({ reason: 'lost', mayHaveRun: true });
    expect(error.message).toMatch(/no sign of life for 0.04 s/);
  });
});

describe('closing', () => {
  it('rejects what is under way or waits, and leaves no connection', async () => {
    const held = daemon.hold();
    const client = await open({ lanes: { call: 1 } });
    const calls = Array.from({ length: 6 }, () => failure(client.call('connectGetHostname'), LibvirtTransportError));
    await eventually('four requests', () => held.length === 4);
    await client.close();
    const errors = await Promise.all(calls);
    expect(errors.map(({ reason, mayHaveRun }) => `${reason} ${mayHaveRun}`).toSorted()).toEqual([
      'closed false',
      'closed false',
      'closed true',
      'closed true',
      'closed true',
      'closed true',
    ]);
    await eventually('all connections to end', () => daemon.alive.length === 0);
    expect((await failure(client.call('connectGetHostname'), LibvirtTransportError)).reason).toBe('closed');
  });
});
