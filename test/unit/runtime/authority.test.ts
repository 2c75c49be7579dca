import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  issueCertificate,
  newAuthority,
  newTlsKey,
  readCertificate,
  subjectOf,
} from '../../../src/runtime/authority.ts';

const NOW = new Date('2026-03-01T12:00:00Z');

describe('an authority', () => {
  it('signs certificates that name their host and that it, and no other, answers for', async () => {
    const [authority, other, { publicKey }] = await Promise.all([
      newAuthority('drover-hosts', NOW, 3650),
      newAuthority('drover-hosts', NOW, 3650),
      newTlsKey(),
    ]);
    const pem = await issueCertificate(authority, {
      publicKey,
      commonName: 'host-1',
      names: ['host-1', '192.0.2.1', '2001:db8::1'],
      now: NOW,
      days: 90,
    });
    const certificate = new X509Certificate(pem);
    expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true);
    expect(certificate.verify(new X509Certificate(other.certificatePem).publicKey)).toBe(false);
    expect(certificate.checkIP('192.0.2.1')).toBe('192.0.2.1');
    expect(certificate.checkHost('host-1')).toBe('host-1');
    expect(certificate.checkHost('host-2')).toBeUndefined();
    expect(certificate.ca).toBe(false);
    expect(readCertificate(pem)).toMatchObject({
      publicKey,
      issuer: subjectOf(authority.certificatePem),
      notBefore: new Date('2026-03-01T11:55:00Z'),
      notAfter: new Date('2026-05-30T12:00:00Z'),
    });
    expect(readCertificate(pem).names).toContain('host-1');
    // Two authorities of one name are told apart by their subject.
    expect(subjectOf(other.certificatePem)).not.toBe(subjectOf(authority.certificatePem));
  });

  it('refuses a public key that is none', async () => {
    const authority = await newAuthority('drover-hosts', NOW, 3650);
    const request = { publicKey: 'bm9uc2Vuc2U=', commonName: 'x', names: ['x'], now: NOW, days: 1 };
    await expect(issueCertificate(authority, request)).rejects.toThrow();
  });
});
