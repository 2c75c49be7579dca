import { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import type { z } from 'zod';
import { PowerError, type PowerErrorReason } from '../error.ts';
import { quote } from '../quote.ts';
import { errorTextOf, parseJson } from './answers.ts';
import { connectionFailureOf } from './failure.ts';

export interface SessionOptions {
  origin: string;
  certificateAuthority?: string;
  insecureSkipVerify?: boolean;
  username: string;
  password: string;
  timeoutMs: number;
}

interface Answer {
  status: number;
  text: string;
  location: string | undefined;
}

/** A ComputerSystem with many links has some 10 KiB; a collection of a chassis with many nodes a few more. */
const ANSWER_MAX_BYTES = 1024 * 1024;
/** A BMC that is busy drops a connection now and then. All that we ask may be asked twice. */
const TRIES = 2;
const PAUSE_BEFORE_RETRY_MS = 250;
/** `/redfish/v1/` may send to `/redfish/v1` and the other way round (DSP0266, 6.5). */
const REDIRECTS_MAX = 2;

/**
 * Requests of one operation to one Redfish service: one connection, one time limit over all. Every failure is a PowerError that
 * begins with the address and what was to be done.
 */
export class RedfishSession {
  readonly #options: SessionOptions;
  readonly #what: string;
  readonly #caller: AbortSignal;
  readonly #signal: AbortSignal;
  readonly #client: Client;
  readonly #authorization: string;

  private constructor(options: SessionOptions, what: string, caller: AbortSignal) {
    this.#options = options;
    this.#what = what;
    this.#caller = caller;
    this.#signal = AbortSignal.any([caller, AbortSignal.timeout(options.timeoutMs)]);
    this.#authorization = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;
    const { certificateAuthority, insecureSkipVerify, timeoutMs } = options;
    if (certificateAuthority !== undefined) this.#checkAuthority(certificateAuthority);
    this.#client = new Client(options.origin, {
      allowH2: false,
      maxResponseSize: ANSWER_MAX_BYTES,
      // Timed as a whole, by our signal.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: timeoutMs,
        rejectUnauthorized: !insecureSkipVerify,
        ...(certificateAuthority !== undefined && { ca: certificateAuthority }),
      },
    });
  }

  /** @param what completes "cannot ...". @throws PowerError, or the caller's reason once that is aborted. */
  static async run<T>(
    options: SessionOptions,
    what: string,
    signal: AbortSignal,
    work: (session: RedfishSession) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const session = new RedfishSession(options, what, signal);
    try {
      return await work(session);
    } finally {
      // Not awaited: it may wait for a connection that is being made, up to the time limit.
      session.#client.destroy().catch(() => undefined);
    }
  }

  /** @throws PowerError, also when the answer is not of that shape. */
  async get<T>(path: string, shape: z.ZodType<T>): Promise<T> {
    let at = this.#local(path);
    let answer = await this.#send('GET', at);
    for (let redirects = 0; isRedirect(answer) && redirects < REDIRECTS_MAX; redirects += 1) {
      at = this.#local(answer.location);
      answer = await this.#send('GET', at);
    }
    if (answer.status !== 200) throw this.#refused(at, answer);
    const parsed = shape.safeParse(parseJson(answer.text));
    if (parsed.success) return parsed.data;
    const { path: field = [] } = parsed.error.issues[0] ?? {};
    const missing = field.length === 0 ? 'no such object' : `its "${field.join('.')}" is not as in Redfish`;
    throw this.failure(
      'UnexpectedAnswer',
      `the answer at ${at} is not Redfish (${missing}): ${this.#quote(answer.text)}`,
    );
  }

  /** @throws PowerError when the service does not take it. */
  async post(path: string, body: object): Promise<void> {
    const at = this.#local(path);
    const answer = await this.#send('POST', at, JSON.stringify(body));
    if (answer.status < 200 || answer.status >= 300) throw this.#refused(at, answer);
  }

  failure(reason: PowerErrorReason, why: string, cause?: unknown): PowerError {
    const { origin } = this.#options;
    return new PowerError(reason, `BMC ${origin} (Redfish): cannot ${this.#what}: ${why}.`, { cause });
  }

  async #send(method: 'GET' | 'POST', path: string, body?: string): Promise<Answer> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        // undici hears of an abort only once its connection is made.
        return await unlessAborted(this.#sendOnce(method, path, body), this.#signal);
      } catch (error) {
        this.#throwIfOver();
        const { reason, why } = connectionFailureOf(error);
        if (reason !== 'Unreachable' || attempt >= TRIES) throw this.failure(reason, this.#quote(why), error);
      }
      await sleep(PAUSE_BEFORE_RETRY_MS, undefined, { signal: this.#signal }).catch(() => this.#throwIfOver());
    }
  }

  async #sendOnce(method: 'GET' | 'POST', path: string, body: string | undefined): Promise<Answer> {
    const response = await this.#client.request({
      method,
      path,
      signal: this.#signal,
      headers: {
        accept: 'application/json',
        'odata-version': '4.0',
        authorization: this.#authorization,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body }),
    });
    const { location } = response.headers;
    return {
      status: response.statusCode,
      text: await response.body.text(),
      location: typeof location === 'string' ? location : undefined,
    };
  }

  #throwIfOver(): void {
    this.#caller.throwIfAborted();
    if (!this.#signal.aborted) return;
    const limit = `${this.#options.timeoutMs / 1000} s`;
    throw this.failure('TimedOut', `no whole answer within ${limit}. Check that the BMC runs and can be reached`);
  }

  /** The credentials go to the service's own address alone, wherever its answers point. */
  #local(link: string | undefined): string {
    const { origin } = this.#options;
    const url = link === undefined ? null : URL.parse(link, origin);
    if (url?.origin === origin) return `${url.pathname}${url.search}`;
    throw this.failure('UnexpectedAnswer', `it points to "${this.#quote(link ?? '')}", which is not part of it`);
  }

  #refused(path: string, { status, text }: Answer): PowerError {
    const said = `${path} answers ${status}: ${this.#quote(errorTextOf(text)) || 'nothing more'}`;
    switch (status) {
      case 401:
        return this.failure('Unauthorized', `user or password are wrong. Correct them in the Secret (${said})`);
      case 403:
        return this.failure('Unauthorized', `the user may not do this. Give it the role Operator (${said})`);
      case 404:
        return this.failure('NotFound', `what it pointed to is not there: ${said}`);
      case 405:
      case 501:
        return this.failure('NotSupported', `it cannot do this: ${said}`);
      default:
        return status >= 400
          ? this.failure('Refused', `it refused: ${said}`)
          : this.failure('UnexpectedAnswer', `that is no answer of Redfish: ${said}`);
    }
  }

  /** Node takes what is no certificate for none at all, and would say of the BMC's that it is not trusted. */
  #checkAuthority(pem: string): void {
    try {
      new X509Certificate(pem);
    } catch (cause) {
      throw this.failure('CertificateNotTrusted', 'the authority given for it is no certificate in PEM', cause);
    }
  }

  #quote(said: string): string {
    return quote(said, [this.#options.password, this.#authorization.slice('Basic '.length)]);
  }
}

/** The promise, or a rejection when the signal is aborted first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: end, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([promise, end]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function isRedirect({ status, location }: Answer): boolean {
  return [301, 302, 307, 308].includes(status) && location !== undefined;
}
