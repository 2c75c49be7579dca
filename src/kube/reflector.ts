import type { KubeApi } from './api.ts';
import { type BackoffPolicy, backoffDelayMs } from './backoff.ts';
import type { ListOptions, Selectors } from './call.ts';
import { type Clock, pause, systemClock } from './clock.ts';
import { KubeError } from './error.ts';
import type { KindRef, KubeObject } from './object.ts';
import type { WatchEvent } from './watch.ts';

export interface ReflectorOptions<T extends KubeObject> extends Selectors {
  client: KubeApi;
  kind: KindRef<T>;
  /** Objects per list page. Absent: 500, as client-go and kubectl ask for. */
  pageSize?: number;
  /** Absent: 200 ms doubling to 30 s, half of it random. */
  backoff?: BackoffPolicy;
  /** How long the server keeps a watch open, in seconds. Absent: 5 to 10 minutes, chosen at random. */
  watchSeconds?: number;
  clock?: Clock;
  /** Source of jitter in [0, 1). Absent: Math.random. */
  random?: () => number;
  /** Told about every list or watch that ended badly; the reflector itself goes on. */
  onError?: (error: unknown) => void;
}

/** Where the reflected state goes. */
export interface ReflectorSink<T> {
  /** Called for each page of a list, so that it can be shrunk before the next one is read. */
  page(objects: T[]): T[];
  /** The complete state at one version. */
  replace(objects: T[]): void;
  event(event: Exclude<WatchEvent<T>, { type: 'BOOKMARK' }>): void;
}

const DEFAULT_BACKOFF: BackoffPolicy = { initialMs: 200, maxMs: 30_000, factor: 2, jitterFraction: 0.5 };
/** Each page is read as one text: larger ones leave the allocator with more than the cache will ever need. */
const DEFAULT_PAGE_SIZE = 500;
/** A page of large objects takes a busy server seconds. */
const LIST_TIMEOUT_MS = 60_000;
/** A watch that lived this long worked, even if nothing happened in it. */
const HEALTHY_WATCH_MS = 5_000;
/** Lists a kind, then watches it, for ever: what the API holds is what the sink was told. */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #sink: ReflectorSink<T>;
  readonly #clock: Clock;
  /** Where the next watch starts. Absent: list first. */
  #version: string | undefined;
  #failures = 0;
  /** The watch has sent something since it was opened. */
  #sawSign = false;

  constructor(options: ReflectorOptions<T>, sink: ReflectorSink<T>) {
    this.#options = options;
    this.#sink = sink;
    this.#clock = options.clock ?? systemClock;
  }

  /** Resolves when the signal is aborted; no failure of the server ends it. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#version ??= await this.#list(signal);
        await this.#watch(this.#version, signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    try {
      return await this.#listPages(this.#options.pageSize ?? DEFAULT_PAGE_SIZE, signal);
    } catch (error) {
      if (!(error instanceof KubeError && error.isExpired())) throw error;
      // The snapshot behind the pages was compacted away while they were read: take all in one answer.
      return await this.#listPages(undefined, signal);
    }
  }

  async #listPages(pageSize: number | undefined, signal: AbortSignal): Promise<string> {
    const { client, kind } = this.#options;
    const all: T[] = [];
    let continueToken: string | undefined;
    for (;;) {
      const options: ListOptions = {
        ...selectorsOf(this.#options),
        signal,
        timeoutMs: LIST_TIMEOUT_MS,
        ...(pageSize !== undefined && { limit: pageSize }),
        ...(continueToken !== undefined && { continueToken }),
      };
      const page = await client.list<T>(kind, options);
      for (const object of this.#sink.page(page.items)) all.push(object);
      continueToken = page.continueToken;
      if (continueToken === undefined) {
        this.#sink.replace(all);
        return page.resourceVersion;
      }
    }
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, kind, watchSeconds } = this.#options;
    const startedMs = this.#clock.monotonicMs();
    this.#sawSign = false;
    for await (const event of client.watch<T>(kind, {
      ...selectorsOf(this.#options),
      resourceVersion,
      signal,
      ...(watchSeconds !== undefined && { timeoutSeconds: watchSeconds }),
    })) {
      this.#sawSign = true;
      this.#failures = 0;
      if (event.type === 'BOOKMARK') {
        this.#version = event.resourceVersion;
      } else {
        const version = event.object.metadata.resourceVersion;
        this.#sink.event(event);
        this.#version = version;
      }
    }
    const livedMs = this.#clock.monotonicMs() - startedMs;
    if (this.#sawSign || livedMs >= HEALTHY_WATCH_MS || signal.aborted) return;
    const message = `watch ${kind.plural}: closed by the server after ${Math.round(livedMs)} ms without an event`;
    throw new KubeError({ code: 0, reason: 'Unreachable', message });
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    this.#options.onError?.(error);
    this.#failures += 1;
    if (error instanceof KubeError && this.#mustRelist(error)) {
      this.#version = undefined;
      // The first relist is not the server's trouble but ours: do it at once.
      if (this.#failures === 1) return;
    }
    const policy = this.#options.backoff ?? DEFAULT_BACKOFF;
    const ownMs = backoffDelayMs(policy, this.#failures, this.#options.random ?? Math.random);
    const askedMs = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
    await pause(this.#clock, Math.max(ownMs, askedMs), signal);
  }

  /**
   * The version expired; or a watch from it brought nothing, not even the bookmark that comes every minute. So does
   * a server whose etcd was restored from a backup: it takes a version of its future without a word and sends nothing
   * until it gets there.
   */
  #mustRelist(error: KubeError): boolean {
    return error.isExpired() || (error.reason === 'Silent' && !this.#sawSign);
  }
}

function selectorsOf({ namespace, labelSelector, fieldSelector }: Selectors): Selectors {
  return {
    ...(namespace !== undefined && { namespace }),
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
  };
}
