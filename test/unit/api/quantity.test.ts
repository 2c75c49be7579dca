import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatCores, parseBytes, parseQuantity, showBytes } from '../../../src/api/common/quantity.ts';

describe('quantities', () => {
  it.each([
    [0, 0],
    ['0', 0],
    [4096, 4096],
    ['4Ki', 4096],
    ['1.5Gi', 1610612736],
    ['.5Gi', 536870912],
    ['5.', 5],
    ['+2', 2],
    ['500m', 0.5],
    ['250u', 0.00025],
    ['2k', 2000],
    ['2M', 2e6],
    ['1Ti', 2 ** 40],
    ['1Pi', 2 ** 50],
    ['1E', 1e18],
    ['1e3', 1000],
    ['1E3', 1000],
    ['12e-1', 1.2],
    ['-1Gi', -(2 ** 30)],
  ])('%s stands for %d', (quantity, number) => {
    expect(parseQuantity(quantity)).toBeCloseTo(number, 12);
  });

  it.each(['', 'Gi', '2GB', '2 Gi', '2g', '0x10', '1e', 'e3', '1Gi1', '1..2', '--1', 'NaN', 'Infinity', '2gi', '1K'])(
    '"%s" is none, and the error says what one looks like',
    (text) => {
      expect(() => parseQuantity(text)).toThrow(RangeError);
      expect(() => parseQuantity(text)).toThrow('as in 512Mi or 4Gi');
    },
  );

  it('are rounded up to whole bytes, as Kubernetes does', () => {
    expect(parseBytes('1.1Gi')).toBe(1181116007);
    expect(parseBytes('1500m')).toBe(2);
    expect(parseBytes('2Gi')).toBe(2 ** 31);
  });

  it('are written with the largest unit that leaves no fraction, and read back as they were', () => {
    expect([formatBytes(2 ** 32), formatBytes(1536 * 2 ** 20), formatBytes(1000), formatBytes(0)]).toEqual([
      '4Gi',
      '1536Mi',
      '1000',
      '0',
    ]);
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => parseBytes(formatBytes(bytes)) === bytes),
    );
  });

  it('are shown to people in three digits, off by less than one in two hundred', () => {
    expect([0, 999, 1023, 1024, 1.5 * 2 ** 20, 2 ** 30 - 1, 25_276_743_680, 2 ** 60].map(showBytes)).toEqual([
      '0',
      '999',
      '1023',
      '1Ki',
      '1.5Mi',
      '1Gi',
      '23.5Gi',
      '1024Pi',
    ]);
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(Math.abs(parseQuantity(showBytes(bytes)) - bytes)).toBeLessThanOrEqual(bytes / 200);
      }),
    );
  });

  it('are written as cores, whole or in thousandths', () => {
    expect([formatCores(2), formatCores(0.5), formatCores(0)]).toEqual(['2', '500m', '0']);
  });
});
