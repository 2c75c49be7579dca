import 'reflect-metadata';
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Certificate } from './certificate.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** What a certificate says, as far as anybody asks. */
export interface CertificateFacts {
  /** Public key: SPKI, base64. */
  readonly publicKey: string;
  /** Subject of the certificate that has signed it. */
  readonly issuer: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** IP addresses and DNS names, sorted. */
  readonly names: readonly string[];
}

/** A new key pair for TLS: the private half as PEM (PKCS#8), the public one as SPKI in base64. */
export async function newTlsKey(): Promise<{ readonly privateKeyPem: string; readonly publicKey: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const [privateKey, publicKey] = await Promise.all([
    webcrypto.subtle.exportKey('pkcs8', keys.privateKey),
    webcrypto.subtle.exportKey('spki', keys.publicKey),
  ]);
  return {
    privateKeyPem: PemConverter.encode(privateKey, 'PRIVATE KEY'),
    publicKey: Buffer.from(publicKey).toString('base64'),
  };
}

/** Makes a certificate authority: its certificate says that it signs others, and nothing else. */
export async function newAuthority(commonName: string, now: Date, days: number): Promise<Certificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomBytes(16).toString('hex'),
    name: [{ CN: [commonName] }, { OU: [await fingerprintOf(keys.publicKey)] }],
    ...validity(now, days),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const privateKey = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificatePem: certificate.toString('pem'), privateKeyPem: PemConverter.encode(privateKey, 'PRIVATE KEY') };
}

export interface CertificateRequest {
  /** SPKI, base64. */
  readonly publicKey: string;
  readonly commonName: string;
  /** IP addresses and DNS names that it is good for. */
  readonly names: readonly string[];
  readonly now: Date;
  readonly days: number;
}

/**
 * Signs a certificate for both ends of a TLS connection.
 * @throws Error when the public key is none.
 */
export async function issueCertificate(authority: Certificate, request: CertificateRequest): Promise<string> {
  const issuer = new X509Certificate(authority.certificatePem);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    PemConverter.decodeFirst(authority.privateKeyPem),
    ALGORITHM,
    false,
    ['sign'],
  );
  const spki = Buffer.from(request.publicKey, 'base64');
  const publicKey = await webcrypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomBytes(16).toString('hex'),
    subject: [{ CN: [request.commonName] }],
    issuer: issuer.subject,
    ...validity(request.now, request.days),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      // libvirt 9 wants keyEncipherment wherever a key usage is critical, for elliptic keys, too.
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension(
        request.names.map((value): JsonGeneralName => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
    ],
  });
  return certificate.toString('pem');
}

/** @throws Error when the text is no certificate. */
export function readCertificate(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  return {
    publicKey: Buffer.from(certificate.publicKey.rawData).toString('base64'),
    issuer: certificate.issuer,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    names: names.map(({ value }) => String(value)).toSorted(),
  };
}

/** Subject of a certificate: what the certificates that it signs name as their issuer. @throws Error when it is none. */
export function subjectOf(pem: string): string {
  return new X509Certificate(pem).subject;
}

async function fingerprintOf(key: webcrypto.CryptoKey): Promise<string> {
  const spki = await webcrypto.subtle.exportKey('spki', key);
  return createHash('sha256').update(Buffer.from(spki)).digest('hex').slice(0, 16);
}

/** Good from five minutes before, for clocks that differ. */
function validity(now: Date, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now.getTime() - 5 * MINUTE_MS), notAfter: new Date(now.getTime() + days * DAY_MS) };
}
