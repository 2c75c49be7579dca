import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XdrError, XdrReader } from '../../../src/libvirt/xdr/reader.ts';
import {
  bool,
  bytes,
  charArray,
  constant,
  double,
  flags,
  hyper,
  int,
  list,
  optional,
  string,
  uhyper,
  uint,
  uuid,
  type Xdr,
  XdrValueError,
} from '../../../src/libvirt/xdr/schema.ts';
import { struct } from '../../../src/libvirt/xdr/struct.ts';
import { XdrWriter } from '../../../src/libvirt/xdr/writer.ts';

function encode<In>(schema: Xdr<unknown, In>, value: In): Buffer {
  const writer = new XdrWriter();
  schema.write(writer, value);
  return writer.finish();
}

function decode<Out>(schema: Xdr<Out, never>, payload: Buffer): Out {
  const reader = new XdrReader(payload);
  const value = schema.read(reader);
  reader.end();
  return value;
}

const domain = struct({ name: string(64), uuid, id: int });

describe('XDR encoding', () => {
  it.each([
    ['int', encode(int, -2), 'fffffffe'],
    ['unsigned int', encode(uint, 0xffff_ffff), 'ffffffff'],
    ['hyper', encode(hyper, -2n), 'fffffffffffffffe'],
    ['unsigned hyper given as a number', encode(uhyper, 258), '0000000000000102'],
    ['double', encode(double, 1.5), '3ff8000000000000'],
    ['string, padded with zeros', encode(string(10), 'hello'), '0000000568656c6c6f000000'],
    ['opaque', encode(bytes(10), new Uint8Array([1, 2])), '0000000201020000'],
    ['list', encode(list(int, 9), [1, 2]), '000000020000000100000002'],
    ['absent', encode(optional(int), null), '00000000'],
    ['present', encode(optional(int), 7), '0000000100000007'],
    ['char array, four bytes a character', encode(charArray(3), 'ab'), '000000610000006200000000'],
    ['flags left out', encode(flags, undefined), '00000000'],
    ['constant', encode(constant(16), undefined), '00000010'],
  ])('writes %s as RFC 4506 and libvirt say', (_, encoded, hex) => {
    expect(encoded.toString('hex')).toBe(hex);
  });

  it('writes a struct as its fields one after the other', () => {
    const encoded = encode(domain, { name: 'vm', uuid: '01234567-89ab-cdef-0123-456789abcdef', id: -1 });
    expect(encoded.toString('hex')).toBe('00000002766d00000123456789abcdef0123456789abcdefffffffff');
  });

  it('reads back what it wrote', () => {
    const everything = struct({
      int,
      uint,
      hyper,
      uhyper,
      double,
      bool,
      text: string(4096),
      data: bytes(4096),
      maybe: optional(string(100)),
      many: list(domain, 50),
    });
    const uuids = fc.uuid();
    const value = fc.record({
      int: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
      uint: fc.integer({ min: 0, max: 0xffff_ffff }),
      hyper: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
      uhyper: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      double: fc.double({ noNaN: true }),
      bool: fc.boolean(),
      text: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
      data: fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data)),
      maybe: fc.option(fc.string({ unit: 'grapheme-ascii', maxLength: 30 })),
      many: fc.array(
        fc.record({
          name: fc.string({ unit: 'grapheme-ascii', maxLength: 30 }),
          uuid: uuids,
          id: fc.integer({ min: -1, max: 9999 }),
        }),
        { maxLength: 10 },
      ),
    });
    fc.assert(
      fc.property(value, (given) => {
        expect(decode(everything, encode(everything, given))).toEqual(given);
      }),
    );
  });

  it('shows UUIDs in lower case with dashes however they were given', () => {
    const encoded = encode(uuid, '0123456789ABCDEF0123456789ABCDEF');
    expect(decode(uuid, encoded)).toBe('01234567-89ab-cdef-0123-456789abcdef');
  });

  it('grows for a large message and is small again for the next one', () => {
    const writer = new XdrWriter();
    const large = 'x'.repeat(1_000_000);
    string(2_000_000).write(writer, large);
    expect(decode(string(2_000_000), writer.finish())).toBe(large);
    int.write(writer, 5);
    expect(decode(int, writer.finish())).toBe(5);
  });
});

describe('values that do not fit', () => {
  it.each([
    ['a fraction', () => encode(int, 1.5), /1.5 is not an integer/],
    ['a negative unsigned', () => encode(uint, -1), /-1 is not an integer from 0/],
    ['more than 32 bits', () => encode(uint, 2 ** 32), /is not an integer from 0/],
    ['NaN', () => encode(int, Number.NaN), /NaN/],
    ['a number past the safe integers', () => encode(uhyper, 2 ** 60), /as bigint/],
    ['more than 64 bits', () => encode(uhyper, 1n << 64n), /is not an integer from 0/],
    ['a long text', () => encode(string(3), 'äö'), /4 bytes of text, the protocol's limit is 3/],
    ['a text with NUL', () => encode(string(9), 'a\0b'), /NUL/],
    ['long data', () => encode(bytes(1), new Uint8Array(2)), /limit is 1/],
    ['a long list', () => encode(list(int, 1), [1, 2]), /limit is 1/],
    ['no UUID', () => encode(uuid, 'vm-1'), /"vm-1" is not a UUID/],
  ])('refuses %s', (_, write, message) => {
    expect(write).toThrow(XdrValueError);
    expect(write).toThrow(message);
  });

  it('names the field at fault, also an inner one', () => {
    const outer = struct({ dom: domain, flags });
    expect(() => encode(outer, { dom: { name: 'a', uuid: 'nonsense', id: 1 } })).toThrow(/^dom\.uuid: "nonsense"/);
  });
});

describe('received bytes that do not fit', () => {
  it('never reads past the end, wherever a message is cut off', () => {
    const schema = struct({ dom: domain, maybe: optional(string(10)), many: list(hyper, 10) });
    const whole = encode(schema, { dom: { name: 'name', uuid: '0'.repeat(32), id: 3 }, maybe: 'x', many: [1n, 2n] });
    for (let length = 0; length < whole.length; length++) {
      expect(() => decode(schema, whole.subarray(0, length))).toThrow(XdrError);
    }
  });

  it('refuses a text over its limit before touching it', () => {
    const announced = Buffer.from('00400001', 'hex');
    expect(() => decode(string(4_194_304), announced)).toThrow(
      /4194305 bytes of text announced, the protocol's limit is 4194304/,
    );
  });

  it('refuses a list over its limit before reading an item', () => {
    expect(() => decode(list(int, 16), Buffer.from('ffffffff', 'hex'))).toThrow(/4294967295 items announced/);
  });

  it('refuses what is left over', () => {
    expect(() => decode(int, Buffer.alloc(8))).toThrow(/4 bytes left over/);
  });

  it('refuses a pointer that is neither absent nor present', () => {
    expect(() => decode(optional(int), Buffer.from('0000000200000001', 'hex'))).toThrow(/2 where 0/);
  });

  it('names the field at fault', () => {
    expect(() => decode(struct({ dom: domain }), Buffer.from('ffffffff', 'hex'))).toThrow(/^dom\.name: /);
  });
});
