import { describe, expect, it } from 'vitest';
import { parseImageInfo } from '../../../src/host/image-info.ts';
import { lastPercent } from '../../../src/host/qemu-img.ts';

describe('parseImageInfo', () => {
  it('reads what matters of a qcow2 image', () => {
    const json = `{"virtual-size": 1073741824, "filename": "a", "cluster-size": 65536, "format": "qcow2", "actual-size": 200704,
      "format-specific": {"type": "qcow2", "data": {"compat": "1.1", "corrupt": true, "data-file": "/d.raw"}},
      "backing-filename": "base.qcow2", "full-backing-filename": "/x/base.qcow2", "dirty-flag": false}`;
    expect(parseImageInfo(json)).toEqual({
      format: 'qcow2',
      virtualSizeBytes: 1073741824,
      allocatedBytes: 200704,
      backingFile: 'base.qcow2',
      dataFile: '/d.raw',
      encrypted: false,
      corrupt: true,
    });
  });

  it('sees old encryption, which only the general part names, and new, which only the special part does', () => {
    expect(parseImageInfo('{"virtual-size": 1, "format": "qcow2", "encrypted": true}').encrypted).toBe(true);
    const special =
      '{"virtual-size": 1, "format": "qcow2", "format-specific": {"data": {"encrypt": {"format": "luks"}}}}';
    expect(parseImageInfo(special).encrypted).toBe(true);
  });

  it('refuses what qemu-img never prints', () => {
    expect(() => parseImageInfo('{"format": "qcow2"}')).toThrow(/virtual-size/);
    expect(() => parseImageInfo('{"virtual-size": -1, "format": "raw"}')).toThrow(/virtual-size/);
  });
});

describe('lastPercent', () => {
  it('takes the newest figure of a piece of output', () => {
    expect(lastPercent('    (0.00/100%)\r    (12.50/100%)\r')).toBe(12.5);
  });

  it('knows none when the piece holds none', () => {
    expect(lastPercent('    (12.5')).toBeUndefined();
  });
});
