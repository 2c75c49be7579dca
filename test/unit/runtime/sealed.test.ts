import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newSealingKey, openSealed, seal } from '../../../src/runtime/sealed.ts';

describe('a sealed secret', () => {
  const key = newSealingKey();

  it('is read again by the holder of the private half', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), fc.string(), (bytes, context) => {
        const box = seal(key.publicKey, Buffer.from(bytes), context);
        expect(openSealed(key.privateKey, box, context)).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 50 },
    );
  });

  it('is refused by another key', () => {
    const box = seal(key.publicKey, Buffer.from('password'), 'default/vm/1');
    expect(() => openSealed(newSealingKey().privateKey, box, 'default/vm/1')).toThrow('another key or changed');
  });

  it('is refused in another place than it was sealed for', () => {
    const box = seal(key.publicKey, Buffer.from('password'), 'default/vm/1');
    expect(() => openSealed(key.privateKey, box, 'default/other/2')).toThrow('another key or changed');
  });

  it('is refused when any byte of it was changed', () => {
    const box = Buffer.from(seal(key.publicKey, Buffer.from('password'), 'c'), 'base64');
    for (let index = 0; index < box.length; index += 1) {
      const changed = Buffer.from(box);
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
      expect(() => openSealed(key.privateKey, changed.toString('base64'), 'c')).toThrow(/cannot be opened/);
    }
  });

  it('says that it is cut short', () => {
    expect(() => openSealed(key.privateKey, 'AAAA', 'c')).toThrow('cut short: 3 bytes');
  });

  it('never looks the same twice', () => {
    const secret = Buffer.from('password');
    expect(seal(key.publicKey, secret, 'c')).not.toBe(seal(key.publicKey, secret, 'c'));
  });
});
