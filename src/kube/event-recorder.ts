import type { KubeApi } from './api.ts';
import { type Clock, systemClock, type Timer } from './clock.ts';
import { KubeError } from './error.ts';
import { type EventInput, eventIdentity, eventKind, type KubeEvent, toEvent } from './event.ts';
import { microTime } from './lease.ts';
import { TokenBucket } from './token-bucket.ts';

export interface EventRecorderOptions {
  client: KubeApi;
  /** Name of the controller, e.g. `drover.dev/operator`. */
  reportingController: string;
  /** E.g. the pod's or host's name. */
  reportingInstance: string;
  clock?: Clock;
  /** New events per second over all objects, with bursts of ten seconds' worth. Absent: 5. */
  ratePerSecond?: number;
  onError?: (error: unknown) => void;
}

/** As in client-go's event broadcaster: what happens again within this time is one series. */
const SERIES_IDLE_MS = 6 * 60_000;
/** A series is written at most this often. */
const SERIES_WRITE_MS = 10_000;
/** As in client-go's spam filter, per object: a burst of 25, then one in five minutes. */
const OBJECT_BURST = 25;
const OBJECT_PER_SECOND = 1 / 300;
/** Series remembered and events waiting to be written; beyond, events are dropped. */
const MAX_SERIES = 4096;

interface Series {
  event: KubeEvent;
  count: number;
  /** Count that the API has; 0 before the event is created. */
  writtenCount: number;
  lastSeenMs: number;
  /** When the next write may go out. */
  dueAtMs: number;
}

/** Tells people what happened to an object, without ever holding up who reports it. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #rate: TokenBucket;
  readonly #ratePerObject = new Map<string, TokenBucket>();
  readonly #series = new Map<string, Series>();
  #writing: Promise<void> = Promise.resolve();
  /** For the write that is due first; while writes are under way it has fired and stays. */
  #timer: { handle: Timer; dueAtMs: number } | undefined;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const perSecond = options.ratePerSecond ?? 5;
    this.#rate = new TokenBucket(this.#clock, perSecond, perSecond * 10);
  }

  /** Events that the rate, the memory or the server refused. */
  get droppedTotal(): number {
    return this.#dropped;
  }

  /** Returns at once; repeated events become a series; beyond the rate they are dropped and counted. */
  record(input: EventInput): void {
    const identity = eventIdentity(input);
    const nowMs = this.#clock.monotonicMs();
    let series = this.#series.get(identity);
    if (series && nowMs - series.lastSeenMs < SERIES_IDLE_MS) {
      series.count += 1;
      series.lastSeenMs = nowMs;
      series.event.series = { count: series.count, lastObservedTime: microTime(this.#clock.now()) };
    } else if (this.#mayStart(input)) {
      const event = toEvent(input, this.#options, this.#clock.now());
      series = { event, count: 1, writtenCount: 0, lastSeenMs: nowMs, dueAtMs: nowMs };
      this.#series.set(identity, series);
    } else {
      this.#dropped += 1;
      return;
    }
    this.#wakeAt(series.dueAtMs);
  }

  /** Writes what is pending now, also what is not due yet, and leaves no timer behind. */
  async flush(signal?: AbortSignal): Promise<void> {
    this.#timer?.handle.cancel();
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#writeAll(this.#pending(), signal));
    await this.#writing;
  }

  #mayStart({ regarding }: EventInput): boolean {
    if (this.#series.size >= MAX_SERIES) return false;
    const object = JSON.stringify([regarding.kind, regarding.metadata.namespace, regarding.metadata.name]);
    const bucket = this.#ratePerObject.get(object) ?? new TokenBucket(this.#clock, OBJECT_PER_SECOND, OBJECT_BURST);
    this.#ratePerObject.set(object, bucket);
    return bucket.take() && this.#rate.take();
  }

  #wakeAt(dueAtMs: number): void {
    if (this.#timer && this.#timer.dueAtMs <= dueAtMs) return;
    this.#timer?.handle.cancel();
    const delayMs = Math.max(dueAtMs - this.#clock.monotonicMs(), 0);
    this.#timer = { handle: this.#clock.setTimeout(() => this.#onTimer(), delayMs), dueAtMs };
  }

  #onTimer(): void {
    const due = this.#pending().filter((series) => series.dueAtMs <= this.#clock.monotonicMs());
    this.#writing = this.#writing
      .then(() => this.#writeAll(due))
      .finally(() => {
        this.#timer = undefined;
        this.#forgetIdle();
        const [first] = this.#pending();
        if (first) this.#wakeAt(first.dueAtMs);
      });
  }

  #pending(): Series[] {
    const pending = [...this.#series.values()].filter((series) => series.writtenCount < series.count);
    return pending.sort((a, b) => a.dueAtMs - b.dueAtMs);
  }

  async #writeAll(batch: readonly Series[], signal?: AbortSignal): Promise<void> {
    for (const series of batch) {
      const { count } = series;
      try {
        await this.#write(series, signal);
        series.writtenCount = count;
      } catch (error) {
        this.#options.onError?.(error);
        // The server's trouble: all others would fail too, and all stay pending. Ours: this one is hopeless.
        if (error instanceof KubeError && (error.isTransient() || error.isAborted())) break;
        this.#dropped += 1;
        series.writtenCount = series.count;
      } finally {
        series.dueAtMs = this.#clock.monotonicMs() + SERIES_WRITE_MS;
      }
    }
  }

  async #write({ event, writtenCount }: Series, signal?: AbortSignal): Promise<void> {
    const options = signal ? { signal } : {};
    if (writtenCount > 0) {
      const body = { series: event.series };
      await this.#options.client.patch(eventKind, event.metadata, { type: 'merge', body }, options);
      return;
    }
    await this.#options.client.create(eventKind, event, options).catch((error: unknown) => {
      // The answer to an earlier try was lost; the name is random, so this can only be our own.
      if (!(error instanceof KubeError && error.isAlreadyExists())) throw error;
    });
  }

  #forgetIdle(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [identity, series] of this.#series) {
      if (series.writtenCount === series.count && nowMs - series.lastSeenMs >= SERIES_IDLE_MS) {
        this.#series.delete(identity);
      }
    }
    for (const [object, bucket] of this.#ratePerObject) if (bucket.isFull()) this.#ratePerObject.delete(object);
  }
}
