import { padding } from './reader.ts';

const INITIAL_BYTES = 4096;
/** A buffer grown past this by one large message is dropped after it, not kept for the connection's life. */
const KEPT_BYTES = 65_536;

/** Writes XDR (RFC 4506) into a buffer that is reused from message to message. */
export class XdrWriter {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #offset = 0;

  get length(): number {
    return this.#offset;
  }

  int(value: number): void {
    const at = this.#reserve(4);
    this.#bytes.writeInt32BE(value, at);
  }

  uint(value: number): void {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32BE(value, at);
  }

  hyper(value: bigint): void {
    const at = this.#reserve(8);
    this.#bytes.writeBigInt64BE(value, at);
  }

  uhyper(value: bigint): void {
    const at = this.#reserve(8);
    this.#bytes.writeBigUInt64BE(value, at);
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeDoubleBE(value, at);
  }

  fixedBytes(value: Uint8Array): void {
    const pad = padding(value.length);
    const at = this.#reserve(value.length + pad);
    this.#bytes.set(value, at);
    this.#bytes.fill(0, at + value.length, at + value.length + pad);
  }

  /** Bytes given as hexadecimal digits, a multiple of four bytes. */
  hex(digits: string): void {
    const at = this.#reserve(digits.length / 2);
    this.#bytes.write(digits, at, 'hex');
  }

  bytes(value: Uint8Array): void {
    this.uint(value.length);
    this.fixedBytes(value);
  }

  /** `byteLength` is the text's length in UTF-8, which the caller has compared with the field's limit. */
  string(value: string, byteLength: number): void {
    this.uint(byteLength);
    const pad = padding(byteLength);
    const at = this.#reserve(byteLength + pad);
    this.#bytes.write(value, at, byteLength, 'utf8');
    this.#bytes.fill(0, at + byteLength, at + byteLength + pad);
  }

  /** Sets the four bytes at `offset`, written before, once the length they hold is known. */
  patchUint(offset: number, value: number): void {
    this.#bytes.writeUInt32BE(value, offset);
  }

  /** A copy of what was written; the writer is empty afterwards. */
  finish(): Buffer {
    const message = Buffer.from(this.#bytes.subarray(0, this.#offset));
    this.clear();
    return message;
  }

  clear(): void {
    this.#offset = 0;
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  }

  #reserve(length: number): number {
    const start = this.#offset;
    const needed = start + length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    this.#offset = needed;
    return start;
  }
}
