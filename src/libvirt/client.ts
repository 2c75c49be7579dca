import { EventEmitter } from 'node:events';
import { Connection } from './connection.ts';
import { LibvirtTransportError } from './errors.ts';
import { EventChannel } from './events/channel.ts';
import { Lane } from './lane.ts';
import type { CallParameters, ClientEvents, Libvirt } from './libvirt.ts';
import type { CallOptions, Keepalive, LibvirtOptions, Reconnect } from './options.ts';
import type { AnyProcedure, Lane as LaneName } from './procedures/procedure.ts';
import { type CallName, PROCEDURES, type ReplyOf, type StreamName } from './procedures/table.ts';
import { Request, type RequestLimits } from './request.ts';
import { StreamConnection } from './streams/connection.ts';
import type { LibvirtStream } from './streams/stream.ts';
import { type Target, targetOf } from './transport/address.ts';
import { encodeCall } from './wire/encode.ts';

/**
 * libvirtd has 20 workers by default (max_workers): twelve calls, four guest agents and eight jobs at once never leave
 * quick calls without one for long.
 */
const CONNECTIONS: Readonly<Record<LaneName, number>> = { call: 3, guest: 1, job: 2 };
const RECONNECT: Reconnect = { firstDelayMs: 200, maxDelayMs: 10_000 };
const KEEPALIVE: Keepalive = { intervalMs: 5_000, missedMax: 5 };
const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * Connects to a libvirt daemon.
 * @throws LibvirtTransportError when it cannot be reached or does not want us; once connected, the client returns from
 * broken connections by itself.
 */
export async function openLibvirt(options: LibvirtOptions = {}): Promise<Libvirt> {
  const client = new Client(options);
  await client.start();
  return client;
}

class Client implements Libvirt {
  readonly #target: Target;
  readonly #keepalive: Keepalive;
  readonly #defaultTimeoutMs: number;
  readonly #log: NonNullable<LibvirtOptions['log']>;
  readonly #lanes: Readonly<Record<LaneName, Lane>>;
  readonly #channel: EventChannel;
  readonly #emitter = new EventEmitter<ClientEvents>();
  readonly #streams = new Set<StreamConnection<unknown>>();
  #closed: LibvirtTransportError | null = null;

  constructor(options: LibvirtOptions) {
    this.#target = targetOf(options);
    this.#keepalive = { ...KEEPALIVE, ...options.keepalive };
    this.#defaultTimeoutMs = options.defaultTimeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#log = options.log ?? (() => undefined);
    const reconnect = { ...RECONNECT, ...options.reconnect };
    const open = () => Connection.open(this.#target, this.#keepalive);
    const lane = (name: LaneName) =>
      new Lane({ connections: options.lanes?.[name] ?? CONNECTIONS[name], reconnect, open });
    this.#lanes = { call: lane('call'), guest: lane('guest'), job: lane('job') };
    this.#channel = new EventChannel({
      open,
      reconnect,
      subscribeLimitMs: this.#defaultTimeoutMs,
      onConnected: () => this.#onConnected(),
      onDisconnected: (error) => this.#onDisconnected(error),
      onEventsMissed: (gapMs) => this.#emitter.emit('eventsMissed', { gapMs }),
      onRetry: (error, delayMs) =>
        this.#log('info', 'connecting to libvirt again', { place: this.#target.place, delayMs, error }),
    });
  }

  async start(): Promise<void> {
    await this.#channel.start();
  }

  get connected(): boolean {
    return this.#channel.connected;
  }

  readonly events: Libvirt['events'] = { on: (name, listener) => this.#channel.on(name, listener) };

  async call<N extends CallName>(name: N, ...[args, options]: CallParameters<N>): Promise<ReplyOf<N>> {
    const procedure: AnyProcedure = PROCEDURES[name];
    const frame = encodeCall(name, procedure, args);
    const request = new Request(name, procedure, frame, this.#limits(procedure, options));
    if (request.state === 'waiting') this.#lanes[procedure.lane].submit(request);
    return (await request.reply) as ReplyOf<N>;
  }

  async stream<N extends StreamName>(
    name: N,
    ...[args, options]: CallParameters<N>
  ): Promise<LibvirtStream<ReplyOf<N>>> {
    const procedure: AnyProcedure = PROCEDURES[name];
    const frame = encodeCall(name, procedure, args);
    if (this.#closed !== null) throw this.#closed;
    const stream = new StreamConnection<ReplyOf<N>>(name, procedure, options?.signal);
    this.#streams.add(stream);
    stream.onEnd = () => this.#streams.delete(stream);
    const request = new Request(name, procedure, frame, {
      unsentMs: this.#defaultTimeoutMs,
      answerMs: options?.timeoutMs ?? this.#defaultTimeoutMs,
      signal: options?.signal,
    });
    request.waitingFor = 'a connection of its own';
    await stream.start(request, (signal) => Connection.open(this.#target, this.#keepalive, signal));
    return stream;
  }

  on<E extends keyof ClientEvents>(event: E, listener: (...details: ClientEvents[E]) => void): () => void {
    // EventEmitter's own types do not follow a generic event name.
    const emitter: EventEmitter = this.#emitter;
    emitter.on(event, listener);
    return () => {
      emitter.off(event, listener);
    };
  }

  async close(): Promise<void> {
    const error = new LibvirtTransportError('closed', `libvirt at ${this.#target.place}: the client was closed`, {
      mayHaveRun: false,
    });
    this.#closed = error;
    this.#channel.close(error);
    for (const lane of Object.values(this.#lanes)) lane.close(error);
    await Promise.all([...this.#streams].map((stream) => stream.abort()));
  }

  #limits(procedure: AnyProcedure, options: CallOptions | undefined): RequestLimits {
    const byDefault = procedure.lane === 'job' ? 0 : this.#defaultTimeoutMs;
    const answerMs = options?.timeoutMs ?? byDefault;
    return { unsentMs: this.#defaultTimeoutMs, answerMs, signal: options?.signal };
  }

  #onConnected(): void {
    this.#log('info', 'connected to libvirt', { place: this.#target.place });
    for (const lane of Object.values(this.#lanes)) lane.wake();
    this.#emitter.emit('connected');
  }

  #onDisconnected(error: LibvirtTransportError): void {
    this.#log('warn', 'lost libvirt', { place: this.#target.place, error });
    this.#emitter.emit('disconnected', { error });
  }
}
