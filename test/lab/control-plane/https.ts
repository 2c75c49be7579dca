import { readFileSync } from 'node:fs';
import { Agent, type Dispatcher, request } from 'undici';
import type { KeyPair } from './certificates.ts';

export interface HttpsAnswer {
  readonly status: number;
  /** Parsed when it is JSON, else the text. */
  readonly body: unknown;
}

/** Talks JSON to one server, as the user of a client certificate. */
export class HttpsClient {
  readonly #origin: string;
  readonly #agent: Dispatcher;

  constructor(origin: string, authority: KeyPair, user: KeyPair) {
    this.#origin = origin;
    this.#agent = new Agent({
      connect: {
        ca: readFileSync(authority.certificate),
        cert: readFileSync(user.certificate),
        key: readFileSync(user.key),
        timeout: 2_000,
      },
      headersTimeout: 30_000,
      keepAliveTimeout: 1_000,
    });
  }

  /** @throws when the server cannot be reached; every answer, also an error, is returned. */
  async call(
    method: Dispatcher.HttpMethod,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<HttpsAnswer> {
    const answer = await request(`${this.#origin}${path}`, {
      dispatcher: this.#agent,
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': contentType } }),
    });
    const text = await answer.body.text();
    const type = answer.headers['content-type'];
    const isJson = typeof type === 'string' && type.startsWith('application/json');
    return { status: answer.statusCode, body: isJson ? JSON.parse(text) : text };
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

/** One line about why a call failed, the causes included. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return error.message || code || error.name;
}
