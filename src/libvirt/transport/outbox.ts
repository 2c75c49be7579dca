import type { Socket } from 'node:net';

/** Frames on their way out, in order. */
export class Outbox {
  readonly #socket: Socket;
  readonly #onePerRecord: boolean;
  readonly #waiting: Buffer[] = [];
  #writing = false;
  #corked = false;
  #drained: (() => void)[] = [];

  /**
   * @param onePerRecord for TLS. libvirtd polls its socket, not its TLS library: of two frames in one TLS record it sees
   * the second only when something else arrives. So each frame is written alone, after the one before it has left.
   */
  constructor(socket: Socket, onePerRecord: boolean) {
    this.#socket = socket;
    this.#onePerRecord = onePerRecord;
    socket.on('drain', () => this.#release()).on('close', () => this.#release());
  }

  write(frame: Buffer): void {
    if (this.#onePerRecord) {
      this.#waiting.push(frame);
      if (!this.#writing) this.#writeNext();
      return;
    }
    this.#cork();
    this.#socket.write(frame);
  }

  /** Resolves when the daemon has taken enough of what was written for more to make sense, or is gone. */
  async ready(): Promise<void> {
    if (this.#socket.destroyed || (this.#waiting.length === 0 && !this.#socket.writableNeedDrain)) return;
    await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /** Frames of one turn of the event loop leave in one system call. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }

  #writeNext(): void {
    const frame = this.#waiting.shift();
    if (frame === undefined) {
      this.#writing = false;
      this.#release();
      return;
    }
    this.#writing = true;
    this.#socket.write(frame, () => this.#writeNext());
  }

  #release(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}
