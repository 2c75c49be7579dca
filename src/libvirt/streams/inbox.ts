import type { Hole } from './stream.ts';

/** Above the first the daemon is held back, below the second it may go on. A few of the largest frames. */
const HIGH_BYTES = 1_048_576;
const LOW_BYTES = 262_144;

interface Flow {
  pause(): void;
  resume(): void;
}

/** What the daemon sent and nobody has read yet. */
export class Inbox {
  readonly #flow: Flow;
  #chunks: (Uint8Array | Hole)[] = [];
  #bytes = 0;
  #paused = false;
  #ended = false;
  #error: Error | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  push(chunk: Uint8Array | Hole): void {
    this.#chunks.push(chunk);
    this.#bytes += 'holeBytes' in chunk ? 0 : chunk.length;
    if (this.#bytes > HIGH_BYTES && !this.#paused) {
      this.#paused = true;
      this.#flow.pause();
    }
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** What was received before it is still read. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  /** Reads nothing more: what comes is thrown away. */
  discard(): void {
    this.#chunks = [];
    this.#bytes = 0;
    this.#resumeIfLow();
  }

  /** The next piece, `null` after the last one. @throws the error that ended the stream. */
  async next(): Promise<Uint8Array | Hole | null> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#bytes -= 'holeBytes' in chunk ? 0 : chunk.length;
        this.#resumeIfLow();
        return chunk;
      }
      if (this.#error !== null) throw this.#error;
      if (this.#ended) return null;
      await this.#changed.promise;
    }
  }

  #resumeIfLow(): void {
    if (!this.#paused || this.#bytes > LOW_BYTES) return;
    this.#paused = false;
    this.#flow.resume();
  }

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
