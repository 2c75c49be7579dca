import type { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';

/**
 * Who answers at a TLS port: the certificate of a server whose handshake came to its end, `Host` where only the machine does (it refuses
 * the connection, or takes it and says no more), or nobody until the signal is aborted. Nothing is asked of the server, and no certificate refused.
 */
export async function whoAnswers(
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<X509Certificate | 'Host' | 'Nobody'> {
  return await new Promise((resolve) => {
    // Not an authority counts but the certificate itself, which the caller compares.
    const socket = connect({ host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    let heard: 'Host' | 'Nobody' = 'Nobody';
    const end = (answer: X509Certificate | 'Host' | 'Nobody') => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(answer);
    };
    const onAbort = () => end(heard);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    socket.once('connect', () => {
      heard = 'Host';
    });
    socket.once('secureConnect', () => end(socket.getPeerX509Certificate() ?? 'Host'));
    socket.on('error', (error) => end('code' in error && error.code === 'ECONNREFUSED' ? 'Host' : heard));
    socket.once('close', () => end(heard));
  });
}
