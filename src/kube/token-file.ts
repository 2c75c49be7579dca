import { readFile } from 'node:fs/promises';
import { type Clock, systemClock } from './clock.ts';
import { KubeError } from './error.ts';

/** Gives the bearer token for the next request. */
export interface TokenSource {
  token(): Promise<string>;
  /** The server refused the last token (401): read again on the next call, however fresh the copy is. */
  invalidate(): void;
}

/** How old a copy may get. The kubelet renews a bound token at 80 % of its life, minutes before it ends. */
const MAX_AGE_MS = 10_000;

/** A token that someone else renews in a file, as the kubelet does for bound service-account tokens. */
export class TokenFile implements TokenSource {
  readonly #path: string;
  readonly #clock: Clock;
  #copy: { token: string; readAtMs: number } | undefined;

  constructor(path: string, clock: Clock = systemClock) {
    this.#path = path;
    this.#clock = clock;
  }

  async token(): Promise<string> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#copy && nowMs - this.#copy.readAtMs < MAX_AGE_MS) return this.#copy.token;
    const token = (await this.#read()).trim();
    if (token === '') throw this.#unreadable('the file is empty');
    this.#copy = { token, readAtMs: nowMs };
    return token;
  }

  invalidate(): void {
    this.#copy = undefined;
  }

  async #read(): Promise<string> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (error) {
      throw this.#unreadable(error instanceof Error ? error.message : String(error), error);
    }
  }

  #unreadable(why: string, cause?: unknown): KubeError {
    return new KubeError({
      code: 0,
      reason: 'TokenUnreadable',
      message: `Cannot read the bearer token in ${this.#path}: ${why}. Check that the token is still mounted there.`,
      cause,
    });
  }
}

/** A token that never changes. */
export function fixedToken(token: string): TokenSource {
  return { token: async () => token, invalidate: () => undefined };
}
