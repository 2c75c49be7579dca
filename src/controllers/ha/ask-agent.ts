import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import type { Host } from '../../api/host.ts';

/** An agent that lives answers a handshake within milliseconds; it is asked several times before anything is done. */
const TIMEOUT_MS = 1_000;

/**
 * Asks the agent of a host directly whether it lives: a TLS handshake, in which whoever answers proves to have the agent's key. No
 * request is made, so that it does not matter whether the agent knows this operator yet.
 * @returns false: nobody answers there, or somebody else. Undefined: the host has not told where.
 */
export async function askAgent(
  { metadata, status }: Pick<Host, 'metadata' | 'status'>,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const { address, usagePort, usageCertificate } = status ?? {};
  if (address === undefined || usagePort === undefined || usageCertificate === undefined) return undefined;
  const shown = await certificateAt(address, usagePort, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
  // An agent that was started anew without the API server shows a certificate that Host.status does not hold yet.
  return (
    shown !== undefined && (shown.raw.equals(new X509Certificate(usageCertificate).raw) || isOf(shown, metadata.name))
  );
}

function isOf({ subject }: X509Certificate, host: string): boolean {
  return subject.split('\n').includes(`CN=${host}`);
}

/** What the server shows in a handshake that came to its end. Undefined: there was none. */
async function certificateAt(host: string, port: number, signal: AbortSignal): Promise<X509Certificate | undefined> {
  return await new Promise((resolve) => {
    // Not an authority counts but the certificate itself, which the caller compares.
    const socket = connect({ host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    const end = (certificate?: X509Certificate) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(certificate);
    };
    const onAbort = () => end();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) end();
    socket.once('secureConnect', () => end(socket.getPeerX509Certificate()));
    socket.on('error', () => end());
    socket.once('close', () => end());
  });
}
