import { describe, expect, it } from 'vitest';
import { type ImageFacts, judgeImage, MAX_DISK_BYTES } from '../../../../src/core/storage/image-verdict.ts';

const facts = (changes: Partial<ImageFacts> = {}): ImageFacts => ({
  format: 'qcow2',
  virtualSizeBytes: 2 ** 30,
  encrypted: false,
  corrupt: false,
  ...changes,
});

describe('judgeImage', () => {
  it.each([
    ['/i/debian.qcow2', facts(), 'qcow2'],
    ['/i/debian.img', facts(), 'qcow2'],
    ['/i/debian.raw', facts({ format: 'raw' }), 'raw'],
    ['/i/debian', facts({ format: 'raw' }), 'raw'],
    ['/i/huge.qcow2', facts({ virtualSizeBytes: MAX_DISK_BYTES }), 'qcow2'],
  ])('accepts %s', (path, image, format) => {
    expect(judgeImage(path, image)).toEqual({ ok: true, format });
  });

  it.each([
    ['BackingFile', '/i/a.qcow2', facts({ backingFile: '/etc/shadow' })],
    ['ExternalDataFile', '/i/a.qcow2', facts({ dataFile: '/etc/shadow' })],
    ['Encrypted', '/i/a.qcow2', facts({ encrypted: true })],
    ['Corrupt', '/i/a.qcow2', facts({ corrupt: true })],
    ['UnsupportedFormat', '/i/a.vmdk', facts({ format: 'vmdk' })],
    ['FormatMismatch', '/i/a.qcow2', facts({ format: 'raw' })],
    ['FormatMismatch', '/i/a.raw', facts({ format: 'qcow2' })],
    ['Empty', '/i/a.raw', facts({ format: 'raw', virtualSizeBytes: 0 })],
    ['TooLarge', '/i/a.qcow2', facts({ virtualSizeBytes: MAX_DISK_BYTES + 1 })],
  ])('refuses with %s', (reason, path, image) => {
    const verdict = judgeImage(path, image);
    expect(verdict).toMatchObject({ ok: false, reason });
    expect(verdict.ok || verdict.message).toContain(path);
  });
});
