import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { certificateAuthority, issueCertificate, type KeyPair } from '../../lab/control-plane/certificates.ts';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'drover-certificates-')), 'pki');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

const read = (pair: KeyPair) => new X509Certificate(readFileSync(pair.certificate));

describe('a certificate of the lab', () => {
  it('is signed by its authority, and names its hosts and its user', async () => {
    const authority = await certificateAuthority(folder, 'authority');
    const server = await issueCertificate(folder, authority, {
      name: 'server',
      commonName: 'kube-apiserver',
      organization: 'system:masters',
      hosts: ['localhost', '10.1.2.3'],
    });
    const certificate = read(server);
    expect(certificate.verify(read(authority).publicKey)).toBe(true);
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkIP('10.1.2.3')).toBe('10.1.2.3');
    expect(certificate.checkHost('elsewhere')).toBeUndefined();
    expect(certificate.subject).toBe('O=system:masters\nCN=kube-apiserver');
    expect(certificate.ca).toBe(false);
  });

  it('fits its key and stays, also when many ask for it at once', async () => {
    const pairs = await Promise.all(Array.from({ length: 5 }, () => certificateAuthority(folder, 'authority')));
    for (const pair of pairs) expect(pair).toEqual(pairs[0]);
    const [pair] = pairs;
    if (!pair) throw new Error('No certificate was made.');
    const fingerprint = read(pair).fingerprint256;
    expect(read(pair).publicKey.equals(createPublicKey(readFileSync(pair.key)))).toBe(true);
    expect(read(await certificateAuthority(folder, 'authority')).fingerprint256).toBe(fingerprint);
  });

  it('is made again when the lab died before it was whole', async () => {
    const half = await certificateAuthority(folder, 'authority');
    rmSync(half.certificate);
    writeFileSync(half.key, 'half a key');
    const whole = await certificateAuthority(folder, 'authority');
    expect(read(whole).publicKey.equals(createPublicKey(readFileSync(whole.key)))).toBe(true);
  });

  it('has a key that only its owner can read', async () => {
    const { key } = await certificateAuthority(folder, 'authority');
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });
});
