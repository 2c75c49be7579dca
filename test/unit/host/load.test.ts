import { describe, expect, it } from 'vitest';
import { parseMeminfo, parsePressure, parseStat } from '../../../src/host/load.ts';

describe('parseStat', () => {
  it('counts guests once, and apart from other user time', () => {
    const text =
      'cpu  1000 200 300 4000 50 6 7 80 600 100\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu1 1 2 3 4 5 6 7 8 9 10\nintr 1\n';
    expect(parseStat(text)).toEqual({
      hardwareThreads: 2,
      userSeconds: 5,
      systemSeconds: 3.13,
      guestSeconds: 7,
      ioWaitSeconds: 0.5,
      idleSeconds: 40,
      stealSeconds: 0.8,
    });
  });

  it('refuses what is not /proc/stat', () => {
    expect(() => parseStat('hello')).toThrow(/no figure/);
  });
});

describe('parseMeminfo', () => {
  it('reads kibibytes', () => {
    const text = 'MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    500 kB\nSwapTotal: 10 kB\nSwapFree: 5 kB\n';
    expect(parseMeminfo(text)).toEqual({
      totalBytes: 1_024_000,
      availableBytes: 512_000,
      swapTotalBytes: 10_240,
      swapFreeBytes: 5_120,
    });
  });

  it('names the line that is missing', () => {
    expect(() => parseMeminfo('MemTotal: 1 kB\n')).toThrow('MemAvailable');
  });
});

describe('parsePressure', () => {
  it('reads totals in microseconds, also without a line for full', () => {
    expect(parsePressure('some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n')).toEqual({
      someSeconds: 2.5,
      fullSeconds: 0,
    });
  });
});
