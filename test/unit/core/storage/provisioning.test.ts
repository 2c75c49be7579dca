import { describe, expect, it } from 'vitest';
import { Volume } from '../../../../src/api/volume.ts';
import { capacityOf, judgeSpace, preallocationOf } from '../../../../src/core/storage/provisioning.ts';

const GIB = 2 ** 30;
const spec = (changes: object) => Volume.spec.parse({ datastoreName: 'main', ...changes });
const source = { virtualSizeBytes: 2 * GIB, allocatedBytes: GIB / 2 };

describe('capacityOf', () => {
  it.each([
    ['the size of a blank Volume', spec({ size: '4Gi' }), undefined, 4 * GIB],
    ['the image when no size is given', spec({ source: { imageName: 'd' } }), source, 2 * GIB],
    ['the size when it is more than the image', spec({ size: '3Gi', source: { imageName: 'd' } }), source, 3 * GIB],
    ['whole sectors', spec({ size: 1000 }), undefined, 1024],
  ])('is %s', (_what, volume, from, capacityBytes) => {
    expect(capacityOf(volume, from)).toEqual({ ok: true, capacityBytes });
  });

  it.each([
    ['NoSize', spec({ size: 0 }), undefined],
    ['SizeTooLarge', spec({ size: '65Ti' }), undefined],
    ['SmallerThanImage', spec({ size: '1Gi', source: { imageName: 'd' } }), source],
  ])('refuses with %s', (reason, volume, from) => {
    expect(capacityOf(volume, from)).toMatchObject({ ok: false, reason });
  });
});

describe('judgeSpace', () => {
  it.each([
    ['a blank thin Volume on a full datastore', 'Thin', undefined, 0, true],
    ['a thin copy of what the image holds', 'Thin', source, GIB / 2, true],
    ['a thin copy that lacks one byte', 'Thin', source, GIB / 2 - 1, false],
    ['a thick Volume that just fits', 'ThickLazyZeroed', undefined, 4 * GIB, true],
    ['a thick Volume that lacks one byte', 'ThickEagerZeroed', undefined, 4 * GIB - 1, false],
  ] as const)('judges %s', (_what, provisioning, from, freeBytes, fits) => {
    expect(judgeSpace(provisioning, 4 * GIB, from, freeBytes).ok).toBe(fits);
  });
});

describe('preallocationOf', () => {
  it('follows the provisioning', () => {
    expect([preallocationOf('Thin'), preallocationOf('ThickLazyZeroed'), preallocationOf('ThickEagerZeroed')]).toEqual([
      'off',
      'falloc',
      'full',
    ]);
  });
});
