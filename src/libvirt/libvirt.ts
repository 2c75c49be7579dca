import type { LibvirtTransportError } from './errors.ts';
import type { EventName, EventOf } from './events/table.ts';
import type { CallOptions } from './options.ts';
import type { ArgsOf, CallName, ReplyOf, StreamName } from './procedures/table.ts';
import type { LibvirtStream } from './streams/stream.ts';

/** `args` may be left out where every field has a default. */
export type CallParameters<N extends CallName | StreamName> =
  Record<never, never> extends ArgsOf<N>
    ? [args?: ArgsOf<N>, options?: CallOptions]
    : [args: ArgsOf<N>, options?: CallOptions];

/** What happens to the client itself. */
export interface ClientEvents {
  /** The daemon answers again, and all event subscriptions stand. */
  connected: [];
  disconnected: [{ readonly error: LibvirtTransportError }];
  /**
   * Subscriptions stand again after a break of `gapMs`; what happened meanwhile was not reported and never will be. List
   * the domains anew: everything from now on is reported.
   */
  eventsMissed: [{ readonly gapMs: number }];
}

export interface Libvirt {
  /** Whether the daemon answered last time we looked. Calls may be made either way: they wait for it until their limit. */
  readonly connected: boolean;

  /**
   * @example const { dom } = await libvirt.call('domainCreateXml', { xmlDesc })
   * @throws LibvirtError when the daemon refuses, LibvirtTransportError when no answer comes, XdrValueError when `args`
   * do not fit the protocol (nothing was sent).
   */
  call<N extends CallName>(name: N, ...parameters: CallParameters<N>): Promise<ReplyOf<N>>;

  /**
   * Starts a procedure that moves data; the stream has a connection of its own until it ends. `signal` ends it at any
   * time, `timeoutMs` limits its start. While the daemon is away it fails at once. Throws as `call` does.
   */
  stream<N extends StreamName>(name: N, ...parameters: CallParameters<N>): Promise<LibvirtStream<ReplyOf<N>>>;

  readonly events: {
    /**
     * Calls `listener` for each such event of any domain, in the daemon's order. Resolves once the daemon has registered
     * the subscription: what happens after that is reported. Renewed after a lost connection.
     * @returns a function that ends it.
     */
    on<N extends EventName>(name: N, listener: (event: EventOf<N>) => void): Promise<() => void>;
  };

  on<E extends keyof ClientEvents>(event: E, listener: (...details: ClientEvents[E]) => void): () => void;

  /** Rejects what is under way and ends all connections and timers. */
  close(): Promise<void>;
}
