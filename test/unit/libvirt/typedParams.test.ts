import { describe, expect, it } from 'vitest';
import { XdrReader } from '../../../src/libvirt/xdr/reader.ts';
import { XdrValueError } from '../../../src/libvirt/xdr/schema.ts';
import { paramsOf, typedParams } from '../../../src/libvirt/xdr/typedParams.ts';
import { XdrWriter } from '../../../src/libvirt/xdr/writer.ts';

const params = paramsOf(8, {
  limit: 'ullong',
  offset: 'llong',
  level: 'int',
  weight: 'uint',
  ratio: 'double',
  on: 'boolean',
  name: 'string',
  disks: 'strings',
});

function encode(value: Parameters<typeof params.write>[1]): Buffer {
  const writer = new XdrWriter();
  params.write(writer, value);
  return writer.finish();
}

describe('typed parameters', () => {
  it('reads every wire type into its JavaScript type', () => {
    const encoded = encode({ limit: 5, offset: -6n, level: -1, weight: 2, ratio: 0.5, on: true, name: 'n' });
    expect(typedParams(8).read(new XdrReader(encoded))).toEqual({
      limit: 5n,
      offset: -6n,
      level: -1,
      weight: 2,
      ratio: 0.5,
      on: true,
      name: 'n',
    });
  });

  it('writes name, type number and value', () => {
    // virTypedParameterType: ULLONG is 4.
    expect(encode({ limit: 7 }).toString('hex')).toBe(
      '00000001' + '000000056c696d6974000000' + '00000004' + '0000000000000007',
    );
  });

  it('writes a repeated parameter once for each value', () => {
    const encoded = encode({ disks: ['vda', 'vdb'] });
    expect(encoded.readUInt32BE(0)).toBe(2);
    expect(encoded.toString('latin1').match(/disks/g)).toHaveLength(2);
  });

  it('leaves out what is undefined', () => {
    expect(encode({ limit: undefined }).toString('hex')).toBe('00000000');
  });

  it.each([
    ['an unknown name', { typo: 1 }, /no parameter "typo"; known: limit, offset/],
    ['the name of an object method', { toString: 1 }, /no parameter "toString"/],
    ['a text for a number', { level: 'high' }, /level takes a value of type int, not string/],
    ['a negative unsigned', { limit: -1 }, /-1 is not an integer from 0/],
    ['too many', { disks: Array.from({ length: 9 }, String) }, /9 parameters, the protocol's limit is 8/],
  ])('refuses %s', (_, value, message) => {
    expect(() => encode(value as object)).toThrow(XdrValueError);
    expect(() => encode(value as object)).toThrow(message);
  });

  it('refuses a type that libvirt does not have', () => {
    const encoded = encode({ limit: 7 });
    encoded.writeInt32BE(8, 16);
    expect(() => typedParams(8).read(new XdrReader(encoded))).toThrow(/8 is not a type of a typed parameter/);
  });

  it('is not fooled by a field called __proto__', () => {
    const hostile = paramsOf(1, { ['__proto__']: 'string' });
    const writer = new XdrWriter();
    hostile.write(writer, JSON.parse('{"__proto__":"x"}'));
    const read = typedParams(1).read(new XdrReader(writer.finish()));
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  });
});
