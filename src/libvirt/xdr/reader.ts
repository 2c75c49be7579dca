/** Received bytes that are not what the protocol allows. The connection that sent them cannot be trusted any further. */
export class XdrError extends Error {
  override readonly name = 'XdrError';
}

/**
 * Reads XDR (RFC 4506: big-endian, every item padded to four bytes) from one received payload.
 * Every read is checked against the payload's end first, so no input makes it read further.
 */
export class XdrReader {
  readonly #bytes: Buffer;
  #offset: number;

  /** @param offset where the payload starts in `bytes`. */
  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes;
    this.#offset = offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  uint(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  hyper(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8));
  }

  uhyper(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8));
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#take(8));
  }

  /** A copy-free view of the next `length` bytes; the padding after them is skipped. */
  fixedBytes(length: number): Buffer {
    const start = this.#take(length + padding(length));
    return this.#bytes.subarray(start, start + length);
  }

  /** The next `length` bytes, a multiple of four, as hexadecimal digits. */
  hex(length: number): string {
    const start = this.#take(length);
    return this.#bytes.toString('hex', start, start + length);
  }

  /** @throws XdrError when the announced length is over `maxBytes`, before anything of that size is touched. */
  bytes(maxBytes: number): Buffer {
    return this.fixedBytes(this.count(maxBytes, 'bytes'));
  }

  string(maxBytes: number): string {
    const length = this.count(maxBytes, 'bytes of text');
    const start = this.#take(length + padding(length));
    return this.#bytes.toString('utf8', start, start + length);
  }

  /** The length prefix of a variable-length item. */
  count(max: number, what: string): number {
    const count = this.uint();
    if (count > max) throw new XdrError(`${count} ${what} announced, the protocol's limit is ${max}`);
    return count;
  }

  /** @throws XdrError when bytes are left over: the schema and the sender disagree about the message. */
  end(): void {
    if (this.remaining > 0) throw new XdrError(`${this.remaining} bytes left over after the last field`);
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) {
      throw new XdrError(`message ends early: ${length} more bytes expected, ${this.#bytes.length - start} left`);
    }
    this.#offset = start + length;
    return start;
  }
}

/** RFC 4506 section 3: items are padded with zero bytes to a multiple of four. */
export function padding(length: number): number {
  return -length & 3;
}
