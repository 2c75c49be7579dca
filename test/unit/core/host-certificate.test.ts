import { describe, expect, it } from 'vitest';
import { renewAtMs } from '../../../src/core/host-certificate.ts';

const DAY_MS = 24 * 3_600_000;
const FROM = new Date('2026-01-01T00:00:00Z');
const WISH = { publicKey: 'key', issuer: 'CN=authority', names: ['host-1', '192.0.2.1'] };
const ISSUED = { ...WISH, notBefore: FROM, notAfter: new Date(FROM.getTime() + 90 * DAY_MS) };

describe('the certificate of a host', () => {
  it('is renewed when two thirds of its life are over', () => {
    expect(renewAtMs(ISSUED, WISH)).toBe(FROM.getTime() + 60 * DAY_MS);
  });

  it.each<[string, Partial<typeof ISSUED> | undefined]>([
    ['there is none', undefined],
    ['the host has another key', { publicKey: 'other' }],
    ['the host has another address', { names: ['host-1', '192.0.2.9'] }],
    ['there is a newer authority', { issuer: 'CN=other' }],
  ])('is made at once when %s', (_what, changes) => {
    expect(renewAtMs(changes && { ...ISSUED, ...changes }, WISH)).toBe(0);
  });

  it('is the same whatever the order of its names', () => {
    expect(renewAtMs({ ...ISSUED, names: WISH.names.toReversed() }, WISH)).toBeGreaterThan(0);
  });
});
