import { Backoff } from '../backoff.ts';
import type { Connection } from '../connection.ts';
import { isTransportError, LibvirtTransportError } from '../errors.ts';
import type { Reconnect } from '../options.ts';
import { Subscriptions } from './subscriptions.ts';
import type { EventName, EventOf } from './table.ts';

export interface ChannelOptions {
  readonly open: () => Promise<Connection>;
  readonly reconnect: Reconnect;
  /** How long `on` waits for a lost connection to return. */
  readonly subscribeLimitMs: number;
  readonly onConnected: () => void;
  readonly onDisconnected: (error: LibvirtTransportError) => void;
  readonly onEventsMissed: (gapMs: number) => void;
  readonly onRetry: (error: unknown, delayMs: number) => void;
}

/** The connection that is always held open: it carries the events, and its state is the client's. */
export class EventChannel {
  readonly #options: ChannelOptions;
  readonly #backoff: Backoff;
  readonly #subscriptions = new Subscriptions();
  #connection: Connection | null = null;
  #ready = Promise.withResolvers<Connection>();
  #retry: NodeJS.Timeout | undefined;
  #lostAtMs: number | null = null;
  #closed: LibvirtTransportError | null = null;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.reconnect);
    // Whoever waits for it handles its rejection; that nobody waits is no error.
    this.#ready.promise.catch(() => undefined);
  }

  get connected(): boolean {
    return this.#connection !== null;
  }

  /** The first connection. Later ones are made by themselves. @throws LibvirtTransportError */
  async start(): Promise<void> {
    this.#adopt(await this.#options.open());
  }

  async on<N extends EventName>(name: N, listener: (event: EventOf<N>) => void): Promise<() => void> {
    const own = this.#subscriptions.add(name, listener);
    const off = () => this.#subscriptions.remove(name, own, (callbackId) => this.#deregister(callbackId));
    try {
      await this.#registered(name);
      return off;
    } catch (error) {
      off();
      throw error;
    }
  }

  close(error: LibvirtTransportError): void {
    this.#closed = error;
    clearTimeout(this.#retry);
    this.#ready.reject(error);
    this.#connection?.close('closed', 'the client was closed');
    this.#connection = null;
  }

  /** A connection that breaks while it registers is followed by the next one, until the limit. */
  async #registered(name: EventName): Promise<void> {
    const deadline = Date.now() + this.#options.subscribeLimitMs;
    for (;;) {
      const connection = await this.#connectedBefore(deadline, name);
      try {
        return await this.#subscriptions.register(name, connection);
      } catch (error) {
        if (!isTransportError(error) || this.#closed !== null) throw error;
      }
    }
  }

  async #connectedBefore(deadline: number, name: EventName): Promise<Connection> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => {
        const why = `subscribing to "${name}" events: no connection to libvirt within the limit. It is tried again by the caller`;
        reject(new LibvirtTransportError('timeout', why, { mayHaveRun: false }));
      },
      Math.max(0, deadline - Date.now()),
    );
    try {
      return await Promise.race([this.#ready.promise, promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #adopt(connection: Connection): void {
    if (this.#closed !== null) {
      connection.close('closed', 'the client was closed');
      return;
    }
    this.#connection = connection;
    this.#backoff.reset();
    connection.listen({
      onEvent: (procedure, frame) => this.#subscriptions.deliver(procedure, frame),
      onClose: (error) => this.#lost(error),
    });
    if (connection.closed) return;
    this.#ready.resolve(connection);
    this.#options.onConnected();
    if (this.#lostAtMs !== null && this.#subscriptions.any)
      this.#options.onEventsMissed(performance.now() - this.#lostAtMs);
    this.#lostAtMs = null;
  }

  #lost(error: LibvirtTransportError): void {
    this.#subscriptions.forgetRegistrations();
    if (this.#closed !== null || this.#connection === null) return;
    this.#connection = null;
    this.#ready = Promise.withResolvers<Connection>();
    this.#ready.promise.catch(() => undefined);
    this.#lostAtMs ??= performance.now();
    this.#options.onDisconnected(error);
    this.#reconnectAfter(error);
  }

  #reconnectAfter(error: unknown): void {
    if (this.#closed !== null) return;
    const delayMs = this.#backoff.nextDelayMs();
    this.#options.onRetry(error, delayMs);
    this.#retry = setTimeout(() => {
      this.#reconnect().catch((failure: unknown) => this.#reconnectAfter(failure));
    }, delayMs);
  }

  async #reconnect(): Promise<void> {
    const connection = await this.#options.open();
    try {
      // Events of subscriptions that stand already are delivered while the others are still being registered.
      connection.listen({ onEvent: (procedure, frame) => this.#subscriptions.deliver(procedure, frame) });
      await this.#subscriptions.registerAll(connection);
    } catch (error) {
      this.#subscriptions.forgetRegistrations();
      connection.close('lost', 'the event subscriptions could not be renewed', error);
      throw error;
    }
    this.#adopt(connection);
  }

  async #deregister(callbackId: number): Promise<void> {
    const connection = this.#connection;
    try {
      await connection?.session('connectDomainEventCallbackDeregisterAny', { callbackId });
    } catch (error) {
      // The daemon forgets registrations with their connection, so a new one leaves nothing behind.
      connection?.close('lost', 'an event subscription could not be ended', error);
    }
  }
}
