import { X509Certificate } from 'node:crypto';
import { connect, createServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { selfSignedCertificate } from '../../../src/runtime/certificate.ts';

const now = new Date();

describe('a self-signed certificate', () => {
  it('names its addresses and its time', async () => {
    const { certificatePem } = await selfSignedCertificate({
      commonName: 'host-1',
      addresses: ['10.0.0.1', 'host-1.example'],
      now,
      days: 30,
    });
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.subject).toBe('CN=host-1');
    expect(certificate.checkIP('10.0.0.1')).toBe('10.0.0.1');
    expect(certificate.checkHost('host-1.example')).toBe('host-1.example');
    expect(certificate.validToDate.getTime() - now.getTime()).toBeGreaterThan(29 * 24 * 3600 * 1000);
    expect(certificate.validFromDate.getTime()).toBeLessThan(now.getTime());
  });

  it('serves both ends of a TLS connection whose ends trust nothing else', async () => {
    const server = await selfSignedCertificate({ commonName: 'server', addresses: ['127.0.0.1'], now, days: 1 });
    const client = await selfSignedCertificate({ commonName: 'client', now, days: 1 });
    const listener = createServer(
      {
        cert: server.certificatePem,
        key: server.privateKeyPem,
        ca: client.certificatePem,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (socket) => socket.end('hello'),
    );
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('the test server has no port');
    try {
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect({
          host: '127.0.0.1',
          port: address.port,
          ca: server.certificatePem,
          cert: client.certificatePem,
          key: client.privateKeyPem,
        });
        socket.on('data', (data) => resolve(data.toString()));
        socket.on('error', reject);
      });
      expect(answer).toBe('hello');
    } finally {
      listener.close();
    }
  });
});
