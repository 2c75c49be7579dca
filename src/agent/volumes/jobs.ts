import type { VolumeJob } from '../../core/storage/volume-step.ts';
import { type BackoffPolicy, backoffDelayMs, type Clock } from '../../runtime/index.ts';
import { toVolumeFailure, type VolumeFailure } from './failure.ts';

/** Which Volume: of one key there may be several one after the other, with other uids. */
export interface JobTarget {
  readonly key: string;
  readonly uid: string;
  /** A new generation is tried at once, however often the one before failed. */
  readonly generation: number;
}

export interface RunningJob {
  readonly kind: VolumeJob;
  readonly uid: string;
  /** False while it waits for others to end. */
  readonly started: boolean;
  /** Share that is done, 0 to 1. */
  readonly fraction: number;
}

export interface FailedJob {
  readonly failure: VolumeFailure;
  readonly retryInMs: number;
}

interface Job {
  readonly kind: VolumeJob;
  readonly uid: string;
  started: boolean;
  fraction: number;
  readonly abort: AbortController;
  ended: Promise<void>;
}

interface Failed extends JobTarget {
  readonly failure: VolumeFailure;
  readonly failures: number;
  readonly retryAtMs: number;
}

export interface VolumeJobsOptions {
  readonly atOnce: number;
  readonly retryMs: number;
  readonly clock: Clock;
  /** Told the key of every job that ended, however it did. */
  readonly onEnd: (key: string, kind: VolumeJob, failure: VolumeFailure | undefined) => void;
}

const MAX_RETRY_MS = 5 * 60_000;

/** Copies and other long work on Volumes, at most one per key; a pass of the controller starts it and does not wait. */
export class VolumeJobs {
  readonly #options: VolumeJobsOptions;
  readonly #backoff: BackoffPolicy;
  readonly #jobs = new Map<string, Job>();
  readonly #failed = new Map<string, Failed>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(options: VolumeJobsOptions) {
    this.#options = options;
    this.#free = options.atOnce;
    this.#backoff = { initialMs: options.retryMs, maxMs: MAX_RETRY_MS, factor: 2, jitterFraction: 0.2 };
  }

  get running(): number {
    return this.#jobs.size;
  }

  find(key: string): RunningJob | undefined {
    return this.#jobs.get(key);
  }

  /** How the last job of this very spec failed, while it is too early to try again. */
  failureOf(target: JobTarget): FailedJob | undefined {
    const failed = this.#failed.get(target.key);
    if (failed?.uid !== target.uid || failed.generation !== target.generation) return undefined;
    const retryInMs = failed.retryAtMs - this.#options.clock.monotonicMs();
    return retryInMs > 0 ? { failure: failed.failure, retryInMs } : undefined;
  }

  start(
    target: JobTarget,
    kind: VolumeJob,
    work: (signal: AbortSignal, onProgress: (fraction: number) => void) => Promise<void>,
  ): void {
    if (this.#jobs.has(target.key)) throw new Error(`a job of Volume ${target.key} is under way already`);
    const abort = new AbortController();
    const job: Job = { kind, uid: target.uid, started: false, fraction: 0, abort, ended: Promise.resolve() };
    this.#jobs.set(target.key, job);
    job.ended = this.#run(target, job, work);
  }

  /** Stops the job of a key, if there is one, and forgets its failures; resolves when nothing writes any more. */
  async cancel(key: string): Promise<void> {
    const job = this.#jobs.get(key);
    job?.abort.abort();
    await job?.ended;
    this.#failed.delete(key);
  }

  /** Stops all jobs: they start over when the agent is back. */
  async close(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map((key) => this.cancel(key)));
  }

  /** Never rejects. */
  async #run(
    target: JobTarget,
    job: Job,
    work: (signal: AbortSignal, onProgress: (fraction: number) => void) => Promise<void>,
  ): Promise<void> {
    const { signal } = job.abort;
    let failure: VolumeFailure | undefined;
    await this.#enter();
    try {
      signal.throwIfAborted();
      job.started = true;
      await work(signal, (fraction) => {
        job.fraction = fraction;
      });
      this.#failed.delete(target.key);
    } catch (error) {
      if (!signal.aborted) failure = this.#fail(target, toVolumeFailure(error));
    } finally {
      this.#leave();
      this.#jobs.delete(target.key);
    }
    this.#options.onEnd(target.key, job.kind, failure);
  }

  #fail(target: JobTarget, failure: VolumeFailure): VolumeFailure {
    const before = this.#failed.get(target.key);
    const isSame = before?.uid === target.uid && before.generation === target.generation;
    const failures = isSame ? before.failures + 1 : 1;
    const retryAtMs = this.#options.clock.monotonicMs() + backoffDelayMs(this.#backoff, failures, Math.random);
    this.#failed.set(target.key, { ...target, failure, failures, retryAtMs });
    return failure;
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}
