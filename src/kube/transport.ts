import { type Dispatcher, Pool } from 'undici';
import type { KubeConnection } from './config.ts';
import { errorOfFailure, errorOfResponse } from './error-response.ts';

export interface WireRequest {
  /** The call in words, e.g. `apply virtualmachines default/web`: begins every error message. */
  what: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With query, escaped. */
  path: string;
  body?: string;
  contentType?: string;
}

export interface HttpRequest extends WireRequest {
  /** Any of them ends the request. */
  signals: readonly AbortSignal[];
}

export interface HttpAnswer {
  status: number;
  text: string;
}

/** A watch sends a bookmark about once a minute (apiserver's bookmarkFrequency); after more silence the line is dead. */
const DEFAULT_WATCH_SILENCE_MS = 150_000;
/** Answers of a watch begin at once, or after at most 3 s of waiting for the version asked for. */
const WATCH_START_MS = 15_000;
/** Requests beyond this wait for a free connection. The server's own limits are in the hundreds per user. */
const MAX_CONNECTIONS = 32;

/**
 * HTTP/1.1 over kept-alive connections. Watches have connections of their own, so that they never hold back a call;
 * why not HTTP/2: docs/adr/0004-kube-transport.md.
 */
export class Transport {
  readonly #connection: KubeConnection;
  readonly #userAgent: string;
  readonly #calls: Pool;
  readonly #watches: Pool;

  constructor(connection: KubeConnection, userAgent: string, watchSilenceMs = DEFAULT_WATCH_SILENCE_MS) {
    this.#connection = connection;
    this.#userAgent = userAgent;
    const shared: Pool.Options = {
      allowH2: false,
      keepAliveTimeout: 60_000,
      connect: {
        timeout: 5_000,
        rejectUnauthorized: !connection.insecureSkipTlsVerify,
        keepAliveInitialDelay: 15_000,
        ...(connection.caPem && { ca: connection.caPem }),
        ...(connection.clientCertPem && { cert: connection.clientCertPem }),
        ...(connection.clientKeyPem && { key: connection.clientKeyPem }),
        ...(connection.serverName && { servername: connection.serverName }),
      },
    };
    // Calls are timed as a whole, by their own timer.
    this.#calls = new Pool(connection.server, {
      ...shared,
      connections: MAX_CONNECTIONS,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#watches = new Pool(connection.server, {
      ...shared,
      headersTimeout: WATCH_START_MS,
      bodyTimeout: watchSilenceMs,
    });
  }

  /** One call, whole. @throws KubeError for every answer that is no 2xx and every failure on the way. */
  async call(request: HttpRequest, timeoutMs: number): Promise<HttpAnswer> {
    const controller = new AbortController();
    let ended: 'timeout' | 'aborted' | undefined;
    const end = (how: 'timeout' | 'aborted') => {
      ended = how;
      controller.abort();
    };
    const onAbort = () => end('aborted');
    const timer = setTimeout(() => end('timeout'), timeoutMs);
    for (const signal of request.signals) signal.addEventListener('abort', onAbort, { once: true });
    if (request.signals.some((signal) => signal.aborted)) onAbort();
    try {
      const response = await this.#send(this.#calls, request, controller.signal);
      const text = await response.body.text();
      if (response.statusCode >= 300) throw refusal(request, response, text);
      return { status: response.statusCode, text };
    } catch (error) {
      throw errorOfFailure(request.what, error, ended, timeoutMs);
    } finally {
      clearTimeout(timer);
      for (const signal of request.signals) signal.removeEventListener('abort', onAbort);
    }
  }

  /** Opens a watch. The chunks end when the server closes it; they break off with a KubeError otherwise. */
  async *stream(request: WireRequest, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    try {
      const response = await this.#send(this.#watches, request, signal);
      if (response.statusCode >= 300) throw refusal(request, response, await response.body.text());
      for await (const chunk of response.body) yield chunk;
    } catch (error) {
      throw errorOfFailure(request.what, error, signal?.aborted ? 'aborted' : undefined);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#calls.destroy(), this.#watches.destroy()]);
  }

  async #send(pool: Pool, request: WireRequest, signal: AbortSignal | undefined): Promise<Dispatcher.ResponseData> {
    const source = this.#connection.token;
    const first = await this.#sendOnce(pool, request, signal, await source?.token());
    if (first.statusCode !== 401 || !source) return first;
    // 401 means that nothing was done. The token may have been renewed in its file since it was read: ask once more.
    await first.body.dump();
    source.invalidate();
    return await this.#sendOnce(pool, request, signal, await source.token());
  }

  async #sendOnce(
    pool: Pool,
    request: WireRequest,
    signal: AbortSignal | undefined,
    token: string | undefined,
  ): Promise<Dispatcher.ResponseData> {
    return await pool.request({
      method: request.method,
      path: request.path,
      headers: {
        accept: 'application/json',
        'user-agent': this.#userAgent,
        ...(request.contentType && { 'content-type': request.contentType }),
        ...(token && { authorization: `Bearer ${token}` }),
      },
      ...(request.body !== undefined && { body: request.body }),
      ...(signal && { signal }),
    });
  }
}

function refusal(request: { what: string }, response: Dispatcher.ResponseData, text: string) {
  const retryAfter = response.headers['retry-after'];
  return errorOfResponse(
    request.what,
    response.statusCode,
    text,
    Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
  );
}
