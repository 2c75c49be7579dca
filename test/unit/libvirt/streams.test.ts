import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Libvirt, LibvirtError, LibvirtTransportError, openLibvirt } from '../../../src/libvirt/index.ts';
import { MessageStatus, MessageType } from '../../../src/libvirt/wire/message.ts';
import { hyper, uint } from '../../../src/libvirt/xdr/schema.ts';
import { struct } from '../../../src/libvirt/xdr/struct.ts';
import { eventually, failure } from './eventually.ts';
import { type FakeCall, FakeDaemon } from './fakeDaemon.ts';

const vol = { pool: 'p', name: 'v', key: '/v' };
const all = { vol, offset: 0, length: 0 };
let daemon: FakeDaemon;
let client: Libvirt;
let calls: FakeCall[];

beforeEach(async () => {
  daemon = await FakeDaemon.start();
  calls = [];
  daemon.onCall = (call) => {
    calls.push(call);
    call.reply({ mime: 'image/png' });
  };
  client = await openLibvirt({ socketPath: daemon.socketPath, keepalive: { intervalMs: 20, missedMax: 3 } });
});

afterEach(async () => {
  await client.close();
  await daemon.stop();
});

function piece(call: FakeCall | undefined, payload: Uint8Array, status: 0 | 1 | 2 = MessageStatus.CONTINUE): void {
  if (call === undefined) throw new Error('no stream was started');
  const { serial, procedure } = call.header;
  call.connection.raw({ serial, procedure, type: MessageType.STREAM, status }, payload);
}

/** What the client sent on the stream, as `type/status/bytes`. */
function sent(): string[] {
  const frames = calls[0]?.connection.frames.filter(({ header }) => header.type === 3 || header.type === 6) ?? [];
  return frames.map(({ header, frame }) => `${header.type}/${header.status}/${frame.length - 28}`);
}

describe('a stream', () => {
  it('delivers what the daemon sends, ends in order and hangs up', async () => {
    const stream = await client.stream('domainScreenshot', { dom: { uuid: '0'.repeat(32) }, screen: 0 });
    expect(stream.reply).toEqual({ mime: 'image/png' });
    piece(calls[0], Buffer.from('one'));
    piece(calls[0], Buffer.from('two'));
    piece(calls[0], new Uint8Array());
    const received: string[] = [];
    const reading = (async () => {
      for await (const chunk of stream.chunks())
        received.push('holeBytes' in chunk ? 'hole' : Buffer.from(chunk).toString());
    })();
    await eventually('the client to finish', () => sent().includes('3/0/0'));
    piece(calls[0], new Uint8Array(), MessageStatus.OK);
    await reading;
    expect(received).toEqual(['one', 'two']);
    await eventually('its connection to end', () => daemon.alive.length === 1);
  });

  it('keeps its data from the moment of the reply, before anyone reads', async () => {
    daemon.onCall = (call) => {
      calls.push(call);
      call.reply({});
      piece(call, Buffer.from('early'));
      piece(call, new Uint8Array());
      piece(call, new Uint8Array(), MessageStatus.OK);
    };
    const stream = await client.stream('storageVolDownload', all);
    const received: Uint8Array[] = [];
    for await (const chunk of stream.chunks()) if (!('holeBytes' in chunk)) received.push(chunk);
    expect(Buffer.concat(received).toString()).toBe('early');
  });

  it('reports holes as holes', async () => {
    const stream = await client.stream('storageVolDownload', { ...all, flags: 1 });
    const { serial, procedure } = calls[0]?.header ?? { serial: 0, procedure: 0 };
    const hole = struct({ length: hyper, flags: uint });
    calls[0]?.connection.write({ serial, procedure, type: MessageType.STREAM_HOLE, status: 2 }, hole, {
      length: 1n << 40n,
      flags: 0,
    });
    const { value } = await stream.chunks().next();
    expect(value).toEqual({ holeBytes: 2 ** 40 });
  });

  it('cuts what it sends into pieces that every daemon takes, and sends holes', async () => {
    const stream = await client.stream('storageVolUpload', { ...all, flags: 1 });
    await stream.write(new Uint8Array(300_000));
    await stream.skip(2 ** 40);
    const finished = stream.finish();
    await eventually('the end', () => sent().length === 4);
    piece(calls[0], new Uint8Array(), MessageStatus.OK);
    await finished;
    expect(sent()).toEqual(['3/2/262120', '3/2/37880', '6/2/12', '3/0/0']);
  });

  it('fails its reader and writer with what libvirt says', async () => {
    const stream = await client.stream('storageVolUpload', all);
    const { serial, procedure } = calls[0]?.header ?? { serial: 0, procedure: 0 };
    calls[0]?.connection.error({ serial, procedure, type: MessageType.STREAM }, 38, 'cannot write data: No space left');
    const error = await failure(stream.finish(), LibvirtError);
    expect(error.message).toBe('storageVolUpload: cannot write data: No space left (libvirt SYSTEM_ERROR)');
    await expect(stream.write(new Uint8Array(1))).rejects.toBe(error);
    await expect(stream.chunks().next()).rejects.toBe(error);
  });

  it('holds the daemon back when nobody reads, stays alive meanwhile, and loses nothing', async () => {
    const stream = await client.stream('storageVolDownload', all);
    const size = 262_120;
    const total = 64;
    const socket = calls[0]?.connection.socket;
    for (let index = 0; index < total; index++) piece(calls[0], Buffer.alloc(size, index));
    piece(calls[0], new Uint8Array());
    await eventually('the flow to stop', () => (socket?.writableLength ?? 0) > size * 8);
    const pings = calls[0]?.connection.pings ?? 0;
    await eventually('signs of life from the held-back client', () => (calls[0]?.connection.pings ?? 0) > pings + 5);
    expect(socket?.writableLength).toBeGreaterThan(size * 8);
    let received = 0;
    const reading = (async () => {
      for await (const chunk of stream.chunks()) if (!('holeBytes' in chunk)) received += chunk.length;
    })();
    await eventually('the client to finish', () => sent().includes('3/0/0'));
    piece(calls[0], new Uint8Array(), MessageStatus.OK);
    await reading;
    expect(received).toBe(size * total);
  });

  it('does not hold up calls while it is not read', async () => {
    await client.stream('storageVolDownload', all);
    for (let index = 0; index < 32; index++) piece(calls[0], Buffer.alloc(262_120));
    daemon.onCall = (call) => call.reply({ hostname: 'h' });
    expect(await client.call('connectGetHostname')).toEqual({ hostname: 'h' });
  });

  it('is aborted at the daemon when its reader leaves', async () => {
    const stream = await client.stream('storageVolDownload', all);
    piece(calls[0], Buffer.from('x'));
    const leaving = (async () => {
      for await (const _ of stream.chunks()) break;
    })();
    await eventually('the abort', () => sent().includes('3/1/0'));
    piece(calls[0], new Uint8Array(), MessageStatus.OK);
    await leaving;
    await eventually('its connection to end', () => daemon.alive.length === 1);
  });

  it('is aborted by its signal also after it has started', async () => {
    const controller = new AbortController();
    const stream = await client.stream('storageVolDownload', all, { signal: controller.signal });
    const reading = failure(
      (async () => {
        for await (const _ of stream.chunks()) expect.unreachable();
      })(),
      LibvirtTransportError,
    );
    controller.abort();
    expect((await reading).reason).toBe('aborted');
    await eventually('the abort', () => sent().includes('3/1/0'));
  });

  it('that is aborted while it finishes does not pass for finished', async () => {
    const stream = await client.stream('storageVolUpload', all);
    const finishing = failure(stream.finish(), LibvirtTransportError);
    await eventually('the end', () => sent().includes('3/0/0'));
    const aborting = stream.abort();
    await eventually('the abort', () => sent().includes('3/1/0'));
    piece(calls[0], new Uint8Array(), MessageStatus.OK);
    await aborting;
    expect((await finishing).reason).toBe('aborted');
  });

  it('fails when its connection breaks', async () => {
    const stream = await client.stream('storageVolUpload', all);
    calls[0]?.connection.socket.destroy();
    const error = await failure(stream.finish(), LibvirtTransportError);
    expect(error.reason).toBe('lost');
    expect((await failure(stream.write(new Uint8Array(1)), LibvirtTransportError)).reason).toBe('lost');
  });

  it('is not started when libvirt refuses, and leaves no connection', async () => {
    daemon.onCall = (call) => call.fail(50, 'no such volume');
    const error = await failure(client.stream('storageVolDownload', all), LibvirtError);
    expect(error.codeName).toBe('NO_STORAGE_VOL');
    await eventually('its connection to end', () => daemon.alive.length === 1);
  });

  it('is not started when no answer comes in time, and leaves no connection', async () => {
    daemon.hold();
    const error = await failure(client.stream('storageVolDownload', all, { timeoutMs: 1_000 }), LibvirtTransportError);
    expect(error).toMatchObject({ reason: 'timeout', mayHaveRun: true });
    await eventually('its connection to end', () => daemon.alive.length === 1);
  });

  it('that is still starting ends with the client', async () => {
    const held = daemon.hold();
    const starting = failure(client.stream('storageVolDownload', all), LibvirtTransportError);
    await eventually('the request', () => held.length === 1);
    await client.close();
    expect((await starting).reason).toBe('aborted');
    await eventually('all connections to end', () => daemon.alive.length === 0);
  });
});
