import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnyProcedure } from '../../../src/libvirt/procedures/procedure.ts';
import { SESSION } from '../../../src/libvirt/procedures/session.ts';
import { PROCEDURES } from '../../../src/libvirt/procedures/table.ts';
import { decodePayload } from '../../../src/libvirt/wire/decode.ts';
import { frameOf } from '../../../src/libvirt/wire/encode.ts';
import { FrameReader } from '../../../src/libvirt/wire/frames.ts';
import { type Header, MessageStatus, MessageType, readHeader } from '../../../src/libvirt/wire/message.ts';
import { type AnyXdr, int, optional, string } from '../../../src/libvirt/xdr/schema.ts';
import { struct } from '../../../src/libvirt/xdr/struct.ts';
import { XdrWriter } from '../../../src/libvirt/xdr/writer.ts';

const KEEPALIVE_PROGRAM = 0x6b65_6570;
const ALL: Readonly<Record<string, AnyProcedure>> = { ...PROCEDURES, ...SESSION };
const NAMES = new Map(Object.entries(ALL).map(([name, { program, number }]) => [`${program}/${number}`, name]));
const text = optional(string(4_194_304));
const nothing = optional(int);
const errorSchema = struct({
  code: int,
  domain: int,
  message: text,
  level: int,
  dom: nothing,
  str1: text,
  str2: text,
  str3: text,
  int1: int,
  int2: int,
  net: nothing,
});

/** One request as the daemon sees it. */
export interface FakeCall {
  readonly name: string;
  readonly args: unknown;
  readonly header: Header;
  readonly connection: FakeConnection;
  reply(value: object): void;
  fail(code: number, message: string): void;
}

type OnCall = (call: FakeCall) => void;

/** Answers that a real daemon gives only when something is wrong with it: late ones, none, garbage. */
export class FakeDaemon {
  readonly socketPath: string;
  readonly connections: FakeConnection[] = [];
  /** What happens to everything that is not about the connection itself. */
  onCall: OnCall = (call) => call.reply({});
  /** Authentication types offered; 0 is none. */
  authTypes: readonly number[] = [0];
  onOpen: OnCall = (call) => call.reply({});
  readonly registered: number[] = [];
  readonly #directory: string;
  #server: Server;

  static async start(): Promise<FakeDaemon> {
    const daemon = new FakeDaemon();
    await daemon.listen();
    return daemon;
  }

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'drover-fake-'));
    this.socketPath = join(this.#directory, 'sock');
    this.#server = createServer();
  }

  listen(): Promise<void> {
    this.#server = createServer((socket) => this.connections.push(new FakeConnection(this, socket)));
    return new Promise((resolve) => this.#server.listen(this.socketPath, resolve));
  }

  get alive(): FakeConnection[] {
    return this.connections.filter((connection) => !connection.socket.destroyed);
  }

  /** Drops every connection and accepts no more until `listen`. */
  async down(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const { socket } of this.connections) socket.destroy();
    await closed;
  }

  async stop(): Promise<void> {
    await this.down();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Every call of this name is kept, unanswered, until the returned calls are answered by the test. */
  hold(): FakeCall[] {
    const held: FakeCall[] = [];
    this.onCall = (call) => held.push(call);
    return held;
  }
}

export class FakeConnection {
  readonly socket: Socket;
  readonly frames: { header: Header; frame: Buffer }[] = [];
  pings = 0;
  pongs = 0;
  /** A dead machine: takes everything, says nothing. */
  mute = false;
  readonly #daemon: FakeDaemon;
  #callbackId = 0;
  readonly #callbacks = new Map<number, number>();

  constructor(daemon: FakeDaemon, socket: Socket) {
    this.#daemon = daemon;
    this.socket = socket;
    const reader = new FrameReader((frame) => this.#receive(frame));
    socket.on('data', (chunk: Buffer) => reader.push(chunk));
    // A client that hangs up is no error here.
    socket.on('error', () => socket.destroy());
  }

  write(header: Partial<Header>, schema: AnyXdr | null, value: unknown): void {
    const writer = new XdrWriter();
    schema?.write(writer, value as never);
    this.raw(header, writer.finish());
  }

  raw(header: Partial<Header>, payload: Uint8Array): void {
    const whole: Header = {
      program: 0x2000_8086,
      version: 1,
      procedure: 0,
      type: MessageType.REPLY,
      serial: 0,
      status: MessageStatus.OK,
      ...header,
    };
    this.socket.write(frameOf(whole, payload));
  }

  error(header: Partial<Header>, code: number, message: string): void {
    const fields = { code, domain: 10, message, level: 2, int1: 0, int2: 0 };
    this.write({ ...header, status: MessageStatus.ERROR }, errorSchema, fields);
  }

  ping(): void {
    this.raw({ program: KEEPALIVE_PROGRAM, procedure: 1, type: MessageType.EVENT }, new Uint8Array());
  }

  #receive(frame: Buffer): void {
    if (this.mute) return;
    const header = readHeader(frame);
    if (header.program === KEEPALIVE_PROGRAM) {
      this.#keepalive(header);
      return;
    }
    this.frames.push({ header, frame: Buffer.from(frame) });
    if (header.type !== MessageType.CALL) return;
    const name = NAMES.get(`${header.program}/${header.procedure}`) ?? 'unknown';
    const procedure = ALL[name];
    if (procedure === undefined) throw new Error(`call of unknown procedure ${header.procedure}`);
    const args = decodePayload(procedure.args, frame);
    const answer = { ...header, type: MessageType.REPLY };
    this.#dispatch({
      name,
      args,
      header,
      connection: this,
      reply: (value) => this.write(answer, procedure.ret, value),
      fail: (code, message) => this.error(answer, code, message),
    });
  }

  #keepalive(header: Header): void {
    if (header.procedure === 2) {
      this.pongs++;
      return;
    }
    this.pings++;
    this.raw({ program: KEEPALIVE_PROGRAM, procedure: 2, type: MessageType.EVENT }, new Uint8Array());
  }

  #register(call: FakeCall): void {
    const { eventId } = call.args as { eventId: number };
    if ([...this.#callbacks.values()].includes(eventId)) {
      call.fail(8, 'event callback already tracked');
      return;
    }
    this.#daemon.registered.push(eventId);
    this.#callbacks.set(this.#callbackId, eventId);
    call.reply({ callbackId: this.#callbackId++ });
  }

  #dispatch(call: FakeCall): void {
    if (call.name === 'authList') call.reply({ types: this.#daemon.authTypes });
    else if (call.name === 'connectSupportsFeature') call.reply({ supported: true });
    else if (call.name === 'connectOpen') this.#daemon.onOpen(call);
    else if (call.name === 'connectDomainEventCallbackRegisterAny') {
      this.#register(call);
    } else if (call.name === 'connectDomainEventCallbackDeregisterAny') {
      // As the real one, which works on the requests of one connection in parallel.
      setImmediate(() => {
        this.#callbacks.delete((call.args as { callbackId: number }).callbackId);
        call.reply({});
      });
    } else this.#daemon.onCall(call);
  }
}
