import type { Connection } from '../connection.ts';
import { LibvirtTransportError } from '../errors.ts';
import type { AnyProcedure } from '../procedures/procedure.ts';
import type { Request } from '../request.ts';
import { decodeError } from '../wire/decode.ts';
import { type Header, MessageStatus, MessageType, STREAM_CHUNK_MAX_BYTES } from '../wire/message.ts';
import { XdrError } from '../xdr/reader.ts';
import { decodeHole, StreamFrames, streamData } from './frames.ts';
import { Inbox } from './inbox.ts';
import type { Hole, LibvirtStream } from './stream.ts';

/** How long a daemon may take to confirm an abort before the connection is closed without its word. */
const ABORT_LIMIT_MS = 2_000;

/**
 * A stream and the connection that it has to itself: not reading it holds back this daemon connection alone, and other
 * calls go on.
 */
export class StreamConnection<Reply> implements LibvirtStream<Reply> {
  readonly #name: string;
  readonly #procedure: AnyProcedure;
  readonly #signal: AbortSignal | undefined;
  readonly #inbox: Inbox;
  readonly #confirmed = Promise.withResolvers<void>();
  #connection: Connection | null = null;
  #request: Request | null = null;
  #frames: StreamFrames | null = null;
  #state: 'open' | 'finishing' | 'aborting' | 'ended' = 'open';
  #reply: { readonly value: Reply } | null = null;
  #serial = 0;
  #abortError: LibvirtTransportError | null = null;
  /** Called once, when the stream is over for whatever reason. */
  onEnd: () => void = () => undefined;

  constructor(name: string, procedure: AnyProcedure, signal: AbortSignal | undefined) {
    this.#name = name;
    this.#procedure = procedure;
    this.#signal = signal;
    this.#inbox = new Inbox({ pause: () => this.#connection?.pause(), resume: () => this.#connection?.resume() });
    // A stream that fails while nobody waits for its confirmation tells its reader or writer instead.
    this.#confirmed.promise.catch(() => undefined);
  }

  get reply(): Reply {
    if (this.#reply === null) throw new Error(`${this.#name}: the stream has not started`);
    return this.#reply.value;
  }

  /** Opens the connection, makes the call and waits for its reply. @throws as a call does. */
  async start(request: Request, open: (signal: AbortSignal) => Promise<Connection>): Promise<void> {
    this.#request = request;
    const givenUp = new AbortController();
    request.onGivenUp = () => {
      givenUp.abort();
      this.#connection?.close('closed', 'the stream was given up');
    };
    open(givenUp.signal).then(
      (connection) => this.#attach(connection, request),
      (error: Error) => request.reject(error),
    );
    try {
      this.#reply = { value: (await request.reply) as Reply };
      this.#signal?.addEventListener('abort', this.#aborted, { once: true });
      if (this.#signal?.aborted === true) this.#aborted();
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  async *chunks(): AsyncIterableIterator<Uint8Array | Hole> {
    try {
      for (let chunk = await this.#inbox.next(); chunk !== null; chunk = await this.#inbox.next()) yield chunk;
      await this.finish();
    } finally {
      await this.abort();
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += STREAM_CHUNK_MAX_BYTES) {
      await this.#send((frames) => frames.data(bytes.subarray(offset, offset + STREAM_CHUNK_MAX_BYTES)));
    }
  }

  async skip(holeBytes: number): Promise<void> {
    await this.#send((frames) => frames.hole(holeBytes));
  }

  async finish(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'finishing';
      this.#inbox.discard();
      await this.#transmit((frames) => frames.finish());
    }
    await this.#confirmed.promise;
  }

  async abort(): Promise<void> {
    if (this.#state !== 'open' && this.#state !== 'finishing') return;
    this.#abortError = this.#transportError('aborted', 'the stream was aborted');
    if (this.#frames === null) {
      this.#end(this.#abortError);
      return;
    }
    this.#state = 'aborting';
    this.#inbox.fail(this.#abortError);
    this.#inbox.discard();
    const limit = setTimeout(() => this.#end(this.#abortError), ABORT_LIMIT_MS);
    try {
      await this.#transmit((frames) => frames.abort());
      await this.#confirmed.promise;
    } catch {
      // An abort has no way to fail: the stream is over either way, and its error says so to whoever reads or writes.
    } finally {
      clearTimeout(limit);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }

  readonly #aborted = (): void => {
    void this.abort();
  };

  #attach(connection: Connection, request: Request): void {
    if (request.state === 'settled' || this.#state === 'ended') {
      connection.close('closed', 'the stream was given up');
      return;
    }
    this.#connection = connection;
    connection.listen({
      onStream: (header, frame) => this.#receive(header, frame),
      onClose: (error) => this.#end(error),
    });
    request.sent();
    this.#serial = connection.send(request, request.frame);
    this.#frames = new StreamFrames(this.#procedure, this.#serial);
  }

  async #send(frameOf: (frames: StreamFrames) => Buffer): Promise<void> {
    if (this.#state !== 'open') {
      await this.#confirmed.promise;
      throw this.#transportError('closed', 'the stream has ended');
    }
    await this.#transmit(frameOf);
  }

  async #transmit(frameOf: (frames: StreamFrames) => Buffer): Promise<void> {
    if (this.#connection === null || this.#frames === null)
      throw new Error(`${this.#name}: the stream has not started`);
    try {
      await this.#connection.sendStream(frameOf(this.#frames));
    } catch (error) {
      // The stream knows better than its connection why it ended.
      await this.#confirmed.promise;
      throw error;
    }
  }

  #receive(header: Header, frame: Buffer): void {
    if (header.serial !== this.#serial || header.procedure !== this.#procedure.number) {
      throw new XdrError(`a piece of a stream ${header.procedure}/${header.serial} that was never asked for`);
    }
    if (header.status === MessageStatus.ERROR && this.#state !== 'aborting') {
      this.#end(decodeError(this.#name, frame));
    } else if (header.status !== MessageStatus.CONTINUE) {
      // While aborting, any last word confirms the abort: nobody may take it for the end of a finished stream.
      this.#end(this.#abortError);
    } else if (this.#state === 'open') {
      this.#keep(header, frame);
    }
  }

  /** An empty piece marks the end of what the daemon has to send. */
  #keep(header: Header, frame: Buffer): void {
    if (header.type === MessageType.STREAM_HOLE) this.#inbox.push(decodeHole(frame));
    else if (streamData(frame).length > 0) this.#inbox.push(streamData(frame));
    else this.#inbox.end();
  }

  #end(error: Error | null): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#signal?.removeEventListener('abort', this.#aborted);
    if (error !== null) {
      this.#inbox.fail(error);
      this.#confirmed.reject(error);
      this.#request?.reject(error);
    }
    this.#confirmed.resolve();
    this.#inbox.end();
    this.#connection?.close('closed', 'the stream has ended');
    this.onEnd();
  }

  #transportError(reason: 'aborted' | 'closed', why: string): LibvirtTransportError {
    return new LibvirtTransportError(reason, `${this.#name}: ${why}`, {
      mayHaveRun: true,
      cause: this.#signal?.reason,
    });
  }
}
