import { XdrError } from '../xdr/reader.ts';
import { FRAME_MAX_BYTES, HEADER_BYTES } from './message.ts';

const LENGTH_BYTES = 4;

/**
 * Cuts a byte stream into frames. Whole frames in one chunk are passed on without copying; the pieces of a longer one
 * are kept as they came and joined once, when the last has arrived, so an announced length alone never costs memory.
 */
export class FrameReader {
  readonly #onFrame: (frame: Buffer) => void;
  #pieces: Buffer[] = [];
  #held = 0;
  #needed = LENGTH_BYTES;

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws XdrError when a frame's length is outside the protocol's limits; nothing after it can be read. */
  push(chunk: Buffer): void {
    if (this.#held === 0) {
      this.#cut(chunk);
      return;
    }
    this.#pieces.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;
    const joined = Buffer.concat(this.#pieces, this.#held);
    this.#pieces = [];
    this.#held = 0;
    this.#cut(joined);
  }

  #cut(bytes: Buffer): void {
    let offset = 0;
    this.#needed = LENGTH_BYTES;
    while (bytes.length - offset >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(offset);
      if (length < HEADER_BYTES || length > FRAME_MAX_BYTES) {
        throw new XdrError(`frame of ${length} bytes announced, allowed are ${HEADER_BYTES} to ${FRAME_MAX_BYTES}`);
      }
      if (bytes.length - offset < length) {
        this.#needed = length;
        break;
      }
      this.#onFrame(bytes.subarray(offset, offset + length));
      offset += length;
    }
    if (offset === bytes.length) return;
    this.#pieces = [bytes.subarray(offset)];
    this.#held = bytes.length - offset;
  }
}
