import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import type { Host } from '../../api/host.ts';
import type { DirectAnswer } from '../../core/ha/host-state.ts';

/** Asks a host's agent. Undefined: the host has not told where it is. */
export type AskAgent = (
  host: Pick<Host, 'metadata' | 'status'>,
  signal: AbortSignal,
) => Promise<DirectAnswer | undefined>;

/** An agent that lives answers a handshake within milliseconds; it is asked several times before anything is done. */
const TIMEOUT_MS = 1_000;

/**
 * Asks the agent of a host directly whether it lives: a TLS handshake, in which whoever answers proves to have the agent's key. No
 * request is made, so that it does not matter whether the agent knows this operator yet.
 * @returns undefined: the host has not told where.
 */
export async function askAgent(
  { metadata, status }: Pick<Host, 'metadata' | 'status'>,
  signal: AbortSignal,
): Promise<DirectAnswer | undefined> {
  const { address, usagePort, usageCertificate } = status ?? {};
  if (address === undefined || usagePort === undefined || usageCertificate === undefined) return undefined;
  const answer = await answerAt(address, usagePort, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
  if (typeof answer === 'string') return answer;
  if (answer.raw.equals(new X509Certificate(usageCertificate).raw)) return 'Agent';
  // Else another machine has the address by now.
  return isOf(answer, metadata.name) ? 'NewAgent' : 'Nobody';
}

function isOf({ subject }: X509Certificate, host: string): boolean {
  return subject.split('\n').includes(`CN=${host}`);
}

/** What the server shows in a handshake that came to its end, or who else was heard. */
async function answerAt(host: string, port: number, signal: AbortSignal): Promise<X509Certificate | 'Host' | 'Nobody'> {
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
