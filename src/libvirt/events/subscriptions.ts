import type { Connection } from '../connection.ts';
import { decodePayload } from '../wire/decode.ts';
import { EVENTS, type EventName, type EventOf } from './table.ts';

type Listener = (event: unknown) => void;

interface Subscription {
  readonly listeners: Set<Listener>;
  /** The daemon's number for it on the present connection. */
  callbackId: number | null;
  registering: Promise<void> | null;
}

const NAME_BY_PROCEDURE = new Map(
  Object.entries(EVENTS).map(([name, { procedure }]) => [procedure, name as EventName] as const),
);

/** Who listens to what, and how the daemon knows it. One registration per kind of event serves all its listeners. */
export class Subscriptions {
  readonly #byName = new Map<EventName, Subscription>();
  /**
   * Registrations that the daemon is still ending. It works on a connection's requests in parallel and refuses a second
   * registration of an event, so the next one of the same event waits.
   */
  readonly #ending = new Map<EventName, Promise<void>>();

  get any(): boolean {
    return this.#byName.size > 0;
  }

  add<N extends EventName>(name: N, listener: (event: EventOf<N>) => void): Listener {
    // Each call of `on` is its own subscription, also with a function that listens already.
    const own: Listener = (event) => listener(event as EventOf<N>);
    const subscription = this.#byName.get(name) ?? { listeners: new Set(), callbackId: null, registering: null };
    subscription.listeners.add(own);
    this.#byName.set(name, subscription);
    return own;
  }

  /** Ends the registration when nobody listens any more; `deregister` asks the daemon to. */
  remove(name: EventName, listener: Listener, deregister: (callbackId: number) => Promise<void>): void {
    const subscription = this.#byName.get(name);
    if (subscription === undefined || !subscription.listeners.delete(listener)) return;
    if (subscription.listeners.size > 0) return;
    this.#byName.delete(name);
    const ended = this.#end(subscription, deregister).finally(() => {
      if (this.#ending.get(name) === ended) this.#ending.delete(name);
    });
    this.#ending.set(name, ended);
  }

  /** Registers one kind of event unless it is registered. @throws LibvirtError, LibvirtTransportError */
  register(name: EventName, connection: Connection): Promise<void> {
    const subscription = this.#byName.get(name);
    if (subscription === undefined || subscription.callbackId !== null) return Promise.resolve();
    subscription.registering ??= this.#ask(name, subscription, connection).finally(() => {
      subscription.registering = null;
    });
    return subscription.registering;
  }

  async registerAll(connection: Connection): Promise<void> {
    for (const name of [...this.#byName.keys()]) await this.register(name, connection);
  }

  /** The connection is gone, and the daemon's registrations with it. */
  forgetRegistrations(): void {
    for (const subscription of this.#byName.values()) {
      subscription.callbackId = null;
      subscription.registering = null;
    }
  }

  /** @throws XdrError when the message does not fit its schema. */
  deliver(procedure: number, frame: Buffer): void {
    const name = NAME_BY_PROCEDURE.get(procedure);
    if (name === undefined) return;
    const { callbackId, ...event } = decodePayload(EVENTS[name].message, frame);
    const subscription = this.#byName.get(name);
    if (subscription === undefined || subscription.callbackId !== callbackId) return;
    for (const listener of subscription.listeners) {
      // A listener that throws is the program's bug, not the connection's: it surfaces as an uncaught exception.
      queueMicrotask(() => {
        if (subscription.listeners.has(listener)) listener(event);
      });
    }
  }

  async #end(subscription: Subscription, deregister: (callbackId: number) => Promise<void>): Promise<void> {
    // One that could not be made has told its listener so, and needs no ending.
    await subscription.registering?.catch(() => undefined);
    if (subscription.callbackId !== null) await deregister(subscription.callbackId);
  }

  async #ask(name: EventName, subscription: Subscription, connection: Connection): Promise<void> {
    await this.#ending.get(name);
    const { eventId } = EVENTS[name];
    const { callbackId } = await connection.session('connectDomainEventCallbackRegisterAny', { eventId });
    subscription.callbackId = callbackId;
  }
}
