import type { CallOptions, CallRecord, Verb } from './call.ts';
import type { KubeConnection } from './config.ts';
import { KubeError } from './error.ts';
import type { HttpRequest, Transport } from './transport.ts';
import { type Query, withQuery } from './url.ts';
import type { WriteGuard } from './write-guard.ts';

export interface KubeClientOptions {
  connection: KubeConnection;
  userAgent: string;
  /** Default time for one call. Absent: 15 s. */
  timeoutMs?: number;
  /** A watch that sends nothing for so long is broken. Absent: 150 s; bookmarks come about every minute. */
  watchSilenceMs?: number;
  /** Called after every call. */
  onCall?: (call: CallRecord) => void;
}

/** One call as data. */
export interface Call {
  verb: Verb;
  /** Plural with subresource; for messages and metrics. */
  resource: string;
  /** Key of the object, or the path of a raw call, for messages. Absent: the whole collection. */
  key?: string;
  method: HttpRequest['method'];
  path: string;
  query?: Query;
  body?: unknown;
  contentType?: string;
}

const DEFAULT_TIMEOUT_MS = 15_000;
const JSON_TYPE = 'application/json';

/** Makes calls: times them, counts them, and asks the guard before those that write. */
export class Caller {
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #onCall: (call: CallRecord) => void;
  readonly #guard: WriteGuard | undefined;

  constructor(transport: Transport, options: KubeClientOptions, guard: WriteGuard | undefined) {
    this.#transport = transport;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#onCall = options.onCall ?? (() => undefined);
    this.#guard = guard;
  }

  async write<T>(call: Call, options: CallOptions): Promise<T> {
    if (!this.#guard) return await this.read<T>(call, options);
    const timeoutMs = Math.min(options.timeoutMs ?? this.#timeoutMs, this.#guard.remainingMs(wordsOf(call)));
    return await this.#send<T>(call, timeoutMs, [...signalsOf(options), this.#guard.signal]);
  }

  /** The answer is trusted to have the kind's shape: the API server holds every stored object to its schema. */
  async read<T>(call: Call, options: CallOptions): Promise<T> {
    return await this.#send<T>(call, options.timeoutMs ?? this.#timeoutMs, signalsOf(options));
  }

  async #send<T>(call: Call, timeoutMs: number, signals: readonly AbortSignal[]): Promise<T> {
    const startedMs = performance.now();
    const what = wordsOf(call);
    let code = 0;
    try {
      const answer = await this.#transport.call(
        {
          what,
          method: call.method,
          // The server gives up when this side does, so that a call cannot take effect long after it failed.
          path: withQuery(call.path, { ...call.query, timeout: `${Math.max(Math.ceil(timeoutMs), 1)}ms` }),
          ...(call.body !== undefined && {
            body: JSON.stringify(call.body),
            contentType: call.contentType ?? JSON_TYPE,
          }),
          signals,
        },
        timeoutMs,
      );
      code = answer.status;
      return parse(what, answer.text);
    } catch (error) {
      if (error instanceof KubeError) code = error.code;
      throw error;
    } finally {
      const { verb, resource, key } = call;
      this.#onCall({
        verb,
        resource,
        ...(key !== undefined && { key }),
        code,
        durationMs: performance.now() - startedMs,
      });
    }
  }
}

function signalsOf({ signal }: CallOptions): AbortSignal[] {
  return signal ? [signal] : [];
}

function parse<T>(what: string, text: string): T {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `${what}: the answer is no JSON, so it is not from a Kubernetes API server: ${text.slice(0, 120)}`;
    throw new KubeError({ code: 0, reason: 'BadResponse', message, cause });
  }
}

function wordsOf(call: Call): string {
  const verb = call.verb === 'raw' ? [call.method] : [call.verb, call.resource];
  return [...verb, ...(call.key === undefined ? [] : [call.key])].join(' ');
}
