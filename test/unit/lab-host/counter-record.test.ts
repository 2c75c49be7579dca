import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyCounterRecord, parseCounterRecord, RECORD_BYTES } from '../../lab/guest/image/counter-record.ts';

describe('the counter record on the disk', () => {
  it('starts at zero, written by no boot', () => {
    expect(emptyCounterRecord()).toHaveLength(RECORD_BYTES);
    expect(parseCounterRecord(emptyCounterRecord())).toEqual({ counter: 0, boot: undefined });
  });

  it('is read as the guest writes it: text without its last newline, padded with zeros', () => {
    const sector = Buffer.alloc(RECORD_BYTES);
    sector.write('DROVER-COUNTER 1\nboot=0123abcd\ncounter=42');
    expect(parseCounterRecord(sector)).toEqual({ counter: 42, boot: '0123abcd' });
  });

  it.each(['', 'DROVER-COUNTER 2\ncounter=1\n', 'DROVER-COUNTER 1\ncounter=\n', 'DROVER-COUNTER 1\ncounter=1\nmore'])(
    'is not %j',
    (text) => {
      const sector = Buffer.alloc(RECORD_BYTES);
      sector.write(text);
      expect(parseCounterRecord(sector)).toBeUndefined();
    },
  );

  it('is not found in random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => !parseCounterRecord(Buffer.from(bytes))));
  });
});
