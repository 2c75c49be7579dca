import type { Socket } from 'node:net';
import { isTransportError, LibvirtError, LibvirtTransportError } from './errors.ts';
import type { Keepalive } from './options.ts';
import { type AnyProcedure, PROGRAM_VERSION } from './procedures/procedure.ts';
import { SESSION } from './procedures/session.ts';
import type { Target } from './transport/address.ts';
import { KEEPALIVE_PROGRAM, KeepaliveClock, pongFrame } from './transport/keepalive.ts';
import { Outbox } from './transport/outbox.ts';
import { openSocket } from './transport/socket.ts';
import { decodeError, decodePayload } from './wire/decode.ts';
import { encodeCall } from './wire/encode.ts';
import { FrameReader } from './wire/frames.ts';
import { type Header, MessageStatus, MessageType, readHeader, setSerial } from './wire/message.ts';
import { XdrError } from './xdr/reader.ts';
import type { InOf, OutOf } from './xdr/schema.ts';

/** libvirtd stops reading a connection at five unanswered requests (max_client_requests), so five is never reached. */
export const REQUESTS_MAX = 4;
const DIAL_LIMIT_MS = 10_000;
const SESSION_LIMIT_MS = 10_000;
/** VIR_DRV_FEATURE_PROGRAM_KEEPALIVE: asking for it makes the daemon watch this connection as well. */
const KEEPALIVE_FEATURE = 10;
const AUTH_NONE = 0;

/** A call that waits for its answer, and who is told of it. */
export interface Pending {
  readonly name: string;
  readonly procedure: AnyProcedure;
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/** What a connection hands on besides replies. */
export interface ConnectionListener {
  onEvent?(procedure: number, frame: Buffer): void;
  onStream?(header: Header, frame: Buffer): void;
  onClose?(error: LibvirtTransportError): void;
}

/** One connection to a daemon, opened and authenticated. Knows nothing of reconnecting, limits or who waits. */
export class Connection {
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #target: Target;
  readonly #pending = new Map<number, Pending>();
  readonly #keepalive: KeepaliveClock;
  #listener: ConnectionListener = {};
  #serial = 0;
  #closed: LibvirtTransportError | null = null;

  /** @throws LibvirtTransportError `unreachable`, `refused`, or `aborted` when the signal comes first. */
  static async open(target: Target, keepalive: Keepalive, signal?: AbortSignal): Promise<Connection> {
    const limit = AbortSignal.timeout(DIAL_LIMIT_MS);
    const socket = await openSocket(target, signal === undefined ? limit : AbortSignal.any([signal, limit]));
    const connection = new Connection(socket, target, keepalive);
    const giveUp = () => connection.close('aborted', 'given up while connecting');
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      await connection.#introduce();
      return connection;
    } catch (error) {
      const why = `the connection could not be opened: ${error instanceof Error ? error.message : String(error)}`;
      connection.close('closed', why);
      // A refusal for a reason that the daemon gave stays that; everything else is a daemon that did not answer.
      if (isTransportError(error, 'refused', 'protocol')) throw error;
      throw connection.#failure(signal?.aborted === true ? 'aborted' : 'unreachable', why, false, error);
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  private constructor(socket: Socket, target: Target, keepalive: Keepalive) {
    this.#socket = socket;
    this.#target = target;
    this.#outbox = new Outbox(socket, target.address.transport === 'tls');
    this.#keepalive = new KeepaliveClock(keepalive, {
      ping: (frame) => this.#outbox.write(frame),
      dead: (silentMs) => this.close('lost', `no sign of life for ${silentMs / 1000} s`),
    });
    const frames = new FrameReader((frame) => this.#receive(frame));
    socket.on('data', (chunk: Buffer) => {
      this.#keepalive.heard();
      try {
        frames.push(chunk);
      } catch (error) {
        if (!(error instanceof XdrError)) throw error;
        this.close('protocol', `the daemon sent what the protocol forbids: ${error.message}`, error);
      }
    });
    socket.on('error', (error) => this.close('lost', `the connection broke: ${error.message}`, error));
    socket.on('end', () => this.close('lost', 'the daemon closed the connection'));
    socket.on('close', () => this.close('lost', 'the connection was closed'));
  }

  get requests(): number {
    return this.#pending.size;
  }

  get closed(): boolean {
    return this.#closed !== null;
  }

  listen(listener: ConnectionListener): void {
    this.#listener = listener;
    if (this.#closed !== null) listener.onClose?.(this.#closed);
  }

  /**
   * Sends an encoded call; `pending` hears of its outcome.
   * @returns the serial by which the frames of a stream are known.
   */
  send(pending: Pending, frame: Buffer): number {
    this.#serial = (this.#serial + 1) >>> 0 || 1;
    if (this.#closed !== null) {
      pending.reject(this.#closed);
      return this.#serial;
    }
    this.#pending.set(this.#serial, pending);
    setSerial(frame, this.#serial);
    this.#outbox.write(frame);
    return this.#serial;
  }

  /** A call about this connection itself, which any daemon answers at once: one that does not is given up. */
  async session<N extends keyof typeof SESSION>(
    name: N,
    args: InOf<(typeof SESSION)[N]['args']>,
  ): Promise<OutOf<(typeof SESSION)[N]['ret']>> {
    const procedure = SESSION[name];
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const giveUp = () => this.close('lost', `${name} was not answered within ${SESSION_LIMIT_MS / 1000} s`);
    const limit = setTimeout(giveUp, SESSION_LIMIT_MS);
    this.send({ name, procedure, resolve, reject }, encodeCall(name, procedure, args));
    try {
      return (await promise) as OutOf<(typeof SESSION)[N]['ret']>;
    } finally {
      clearTimeout(limit);
    }
  }

  /** Sends part of a stream; resolves when there is room for more. */
  async sendStream(frame: Buffer): Promise<void> {
    if (this.#closed === null) {
      this.#outbox.write(frame);
      await this.#outbox.ready();
    }
    if (this.#closed !== null) throw this.#closed;
  }

  /** Holds the daemon back by no longer reading. */
  pause(): void {
    this.#socket.pause();
    this.#keepalive.paused = true;
  }

  resume(): void {
    this.#keepalive.paused = false;
    this.#socket.resume();
  }

  close(reason: LibvirtTransportError['reason'], why: string, cause?: unknown): void {
    if (this.#closed !== null) return;
    this.#closed = this.#failure(reason, why, false, cause);
    this.#keepalive.stop();
    this.#socket.destroy();
    for (const pending of this.#pending.values()) {
      const outcome = `${pending.name}: no answer, and libvirt may have run it or not; look before trying again. Cause: ${why}`;
      pending.reject(this.#failure(reason, outcome, true, cause));
    }
    this.#pending.clear();
    this.#listener.onClose?.(this.#closed);
  }

  #failure(reason: LibvirtTransportError['reason'], why: string, mayHaveRun: boolean, cause: unknown) {
    return new LibvirtTransportError(reason, `libvirt at ${this.#target.place}: ${why}`, { mayHaveRun, cause });
  }

  async #introduce(): Promise<void> {
    const { types } = await this.session('authList', {});
    if (types.length > 0 && !types.includes(AUTH_NONE)) throw this.#authenticationWanted(types);
    await this.session('connectSupportsFeature', { feature: KEEPALIVE_FEATURE });
    try {
      await this.session('connectOpen', { name: this.#target.driverUri });
    } catch (error) {
      if (!(error instanceof LibvirtError)) throw error;
      throw this.#failure(
        'refused',
        `the daemon cannot open ${this.#target.driverUri}: ${error.message}`,
        false,
        error,
      );
    }
  }

  #authenticationWanted(types: readonly number[]): LibvirtTransportError {
    const wanted = types.map((type) => ({ 1: 'SASL', 2: 'polkit' })[type] ?? `type ${type}`).join(' or ');
    const why =
      `the daemon wants authentication by ${wanted}, this client offers none. Over the local socket run as root; ` +
      'for TCP and TLS set auth_tcp or auth_tls to "none" in libvirtd.conf (TLS identifies clients by certificate)';
    return this.#failure('refused', why, false, undefined);
  }

  #receive(frame: Buffer): void {
    if (this.#closed !== null) return;
    const header = readHeader(frame);
    if (header.program === KEEPALIVE_PROGRAM) {
      const answer = pongFrame(header);
      if (answer !== null) this.#outbox.write(answer);
      return;
    }
    if (header.version !== PROGRAM_VERSION)
      throw new XdrError(`version ${header.version} of program ${header.program}`);
    if (header.type === MessageType.REPLY) this.#settle(header, frame);
    else if (header.type === MessageType.EVENT) this.#listener.onEvent?.(header.procedure, frame);
    else if (header.type !== MessageType.CALL) this.#listener.onStream?.(header, frame);
    else throw new XdrError('a call, which only clients make');
  }

  #settle(header: Header, frame: Buffer): void {
    const pending = this.#pending.get(header.serial);
    if (pending === undefined) throw new XdrError(`a reply to serial ${header.serial}, which was never asked`);
    if (pending.procedure.number !== header.procedure || pending.procedure.program !== header.program) {
      throw new XdrError(`a reply of procedure ${header.procedure} to a call of ${pending.name}`);
    }
    const failed = header.status === MessageStatus.ERROR;
    const outcome = failed ? decodeError(pending.name, frame) : decodePayload(pending.procedure.ret, frame);
    this.#pending.delete(header.serial);
    if (outcome instanceof LibvirtError) pending.reject(outcome);
    else pending.resolve(outcome);
  }
}
