import type { Pending } from './connection.ts';
import { LibvirtTransportError } from './errors.ts';
import type { AnyProcedure } from './procedures/procedure.ts';

export interface RequestLimits {
  /** How long to wait for the request to be sent. */
  readonly unsentMs: number;
  /** How long to wait for the answer, from the start; 0 for any length of time. */
  readonly answerMs: number;
  readonly signal: AbortSignal | undefined;
}

/** One call on its way: waiting for a place, sent, or settled by an answer, a limit or a broken connection. */
export class Request implements Pending {
  readonly name: string;
  readonly procedure: AnyProcedure;
  readonly frame: Buffer;
  readonly reply: Promise<unknown>;
  state: 'waiting' | 'sent' | 'settled' = 'waiting';
  /** Set by whoever holds the request: called once when a limit or the signal ends it. */
  onGivenUp: () => void = () => undefined;
  /** Why it is still unsent, for the message of a limit. */
  waitingFor = 'a free connection';

  readonly #limits: RequestLimits;
  readonly #settle: { resolve: (reply: unknown) => void; reject: (error: Error) => void };
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string, procedure: AnyProcedure, frame: Buffer, limits: RequestLimits) {
    this.name = name;
    this.procedure = procedure;
    this.frame = frame;
    this.#limits = limits;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.reply = promise;
    this.#settle = { resolve, reject };
    if (limits.signal?.aborted) this.#aborted();
    else limits.signal?.addEventListener('abort', this.#aborted, { once: true });
    this.#limit(limits.answerMs === 0 ? limits.unsentMs : limits.answerMs);
  }

  /** From here on the daemon may act on it. */
  sent(): void {
    this.state = 'sent';
    if (this.#limits.answerMs === 0) clearTimeout(this.#timer);
  }

  resolve(reply: unknown): void {
    if (this.#end()) this.#settle.resolve(reply);
  }

  reject(error: Error): void {
    if (this.#end()) this.#settle.reject(error);
  }

  #end(): boolean {
    if (this.state === 'settled') return false;
    this.state = 'settled';
    clearTimeout(this.#timer);
    this.#limits.signal?.removeEventListener('abort', this.#aborted);
    return true;
  }

  #limit(limitMs: number): void {
    if (this.state === 'settled' || limitMs === 0) return;
    this.#timer = setTimeout(() => {
      const seconds = `${limitMs / 1000} s`;
      const why =
        this.state === 'sent'
          ? `no answer within ${seconds}. libvirt cannot be told to stop: it may still run it`
          : `not sent within ${seconds}, it waited for ${this.waitingFor}. It has not run`;
      this.#giveUp('timeout', why, undefined);
    }, limitMs);
  }

  readonly #aborted = (): void => {
    const why =
      this.state === 'sent' ? 'given up by the caller. libvirt may still run it' : 'given up before it was sent';
    this.#giveUp('aborted', why, this.#limits.signal?.reason);
  };

  #giveUp(reason: 'timeout' | 'aborted', why: string, cause: unknown): void {
    const mayHaveRun = this.state === 'sent';
    if (!this.#end()) return;
    this.#settle.reject(new LibvirtTransportError(reason, `${this.name}: ${why}`, { mayHaveRun, cause }));
    this.onGivenUp();
  }
}
