import { XdrError, type XdrReader } from './reader.ts';
import type { XdrWriter } from './writer.ts';

/** How one XDR item is read and written. `In` may be laxer than `Out`: a default, a number for a 64 bit field. */
export interface Xdr<Out, In = Out> {
  readonly read: (from: XdrReader) => Out;
  readonly write: (to: XdrWriter, value: In) => void;
}

/** Any schema: `never` is the one input that all of them accept. */
export type AnyXdr = Xdr<unknown, never>;
export type OutOf<S> = S extends Xdr<infer Out, never> ? Out : never;
export type InOf<S> = S extends { readonly write: (to: XdrWriter, value: infer In) => void } ? In : never;

/** A value that a field cannot carry: the caller's mistake, found before anything is sent. */
export class XdrValueError extends RangeError {
  override readonly name = 'XdrValueError';
}

const INT = { min: -0x8000_0000, max: 0x7fff_ffff };
const UINT = { min: 0, max: 0xffff_ffff };
const HYPER = { min: -(1n << 63n), max: (1n << 63n) - 1n };
const UHYPER = { min: 0n, max: (1n << 64n) - 1n };

function checkInteger(value: number, range: { min: number; max: number }): number {
  if (Number.isInteger(value) && value >= range.min && value <= range.max) return value;
  throw new XdrValueError(`${value} is not an integer from ${range.min} to ${range.max}`);
}

function toBigInt(value: number | bigint, range: { min: bigint; max: bigint }): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new XdrValueError(`${value} is not a safe integer; give large 64 bit values as bigint`);
  }
  const exact = BigInt(value);
  if (exact >= range.min && exact <= range.max) return exact;
  throw new XdrValueError(`${exact} is not an integer from ${range.min} to ${range.max}`);
}

/** Also what XDR makes of C's short and char: every integer takes four bytes. */
export const int: Xdr<number> = {
  read: (from) => from.int(),
  write: (to, value) => to.int(checkInteger(value, INT)),
};

export const uint: Xdr<number> = {
  read: (from) => from.uint(),
  write: (to, value) => to.uint(checkInteger(value, UINT)),
};

/** 64 bit values are read as bigint always: CPU nanoseconds of one busy 64-vCPU guest pass 2^53 within two days. */
export const hyper: Xdr<bigint, number | bigint> = {
  read: (from) => from.hyper(),
  write: (to, value) => to.hyper(toBigInt(value, HYPER)),
};

export const uhyper: Xdr<bigint, number | bigint> = {
  read: (from) => from.uhyper(),
  write: (to, value) => to.uhyper(toBigInt(value, UHYPER)),
};

export const double: Xdr<number> = {
  read: (from) => from.double(),
  write: (to, value) => to.double(value),
};

/** libvirt has no XDR booleans, only int fields that hold 0 or 1. */
export const bool: Xdr<boolean> = {
  read: (from) => from.int() !== 0,
  write: (to, value) => to.int(value ? 1 : 0),
};

/** A bit set, 0 when left out. */
export const flags: Xdr<number, number | undefined> = {
  read: (from) => from.uint(),
  write: (to, value) => to.uint(checkInteger(value ?? 0, UINT)),
};

/** A number the protocol wants and the caller has no say in. */
export function constant(value: number): Xdr<number, undefined> {
  return { read: (from) => from.int(), write: (to) => to.int(value) };
}

export function string(maxBytes: number): Xdr<string> {
  return {
    read: (from) => from.string(maxBytes),
    write(to, value) {
      const byteLength = Buffer.byteLength(value);
      if (byteLength > maxBytes)
        throw new XdrValueError(`${byteLength} bytes of text, the protocol's limit is ${maxBytes}`);
      // The daemon holds texts as C strings: it would silently see only what stands before the NUL.
      if (value.includes('\0')) throw new XdrValueError('text with a NUL character, which libvirt would cut off there');
      to.string(value, byteLength);
    },
  };
}

/** The bytes read are a view of the received message; copy them to keep them long. */
export function bytes(maxBytes: number): Xdr<Uint8Array> {
  return {
    read: (from) => from.bytes(maxBytes),
    write(to, value) {
      if (value.length > maxBytes)
        throw new XdrValueError(`${value.length} bytes, the protocol's limit is ${maxBytes}`);
      to.bytes(value);
    },
  };
}

/** A C `char[length]`: XDR spends four bytes on each character. Read up to the first NUL. */
export function charArray(length: number): Xdr<string> {
  return {
    read(from) {
      const codes = Array.from({ length }, () => from.int() & 0xff);
      const end = codes.indexOf(0);
      return Buffer.from(end === -1 ? codes : codes.slice(0, end)).toString();
    },
    write(to, value) {
      const encoded = Buffer.from(value);
      if (encoded.length > length)
        throw new XdrValueError(`${encoded.length} bytes of text, the field holds ${length}`);
      for (let index = 0; index < length; index++) to.int(encoded[index] ?? 0);
    },
  };
}

const UUID_PATTERN = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

/** Sixteen bytes, shown as libvirt and Kubernetes show them: lower case with dashes. */
export const uuid: Xdr<string> = {
  read(from) {
    const hex = from.hex(16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  },
  write(to, value) {
    if (!UUID_PATTERN.test(value)) throw new XdrValueError(`"${value}" is not a UUID`);
    to.hex(value.replaceAll('-', ''));
  },
};

/** XDR's pointer: absent or one item. Left out and null mean the same. */
export function optional<Out, In>(item: Xdr<Out, In>): Xdr<Out | null, In | null | undefined> {
  return {
    read(from) {
      const present = from.uint();
      if (present > 1) throw new XdrError(`${present} where 0 (absent) or 1 (present) must stand`);
      return present === 1 ? item.read(from) : null;
    },
    write(to, value) {
      to.uint(value === null || value === undefined ? 0 : 1);
      if (value !== null && value !== undefined) item.write(to, value);
    },
  };
}

export function list<Out, In>(item: Xdr<Out, In>, max: number): Xdr<Out[], readonly In[]> {
  return {
    read(from) {
      const count = from.count(max, 'items');
      const items: Out[] = [];
      for (let index = 0; index < count; index++) items.push(item.read(from));
      return items;
    },
    write(to, values) {
      if (values.length > max) throw new XdrValueError(`${values.length} items, the protocol's limit is ${max}`);
      to.uint(values.length);
      for (const value of values) item.write(to, value);
    },
  };
}
