import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { LibvirtTransportError } from '../errors.ts';
import type { Target } from './address.ts';

/** After checking our certificate a daemon sends this byte; one that does not accept it just closes (virnetserverclient.c). */
const CERTIFICATE_ACCEPTED = 1;

/** A connected socket on which the daemon waits for the first request. */
export async function openSocket(target: Target, signal: AbortSignal): Promise<Socket> {
  const socket = dial(target);
  const ready = target.address.transport === 'tls' ? 'secureConnect' : 'connect';
  try {
    await settled(socket, ready, signal);
    if (target.address.transport === 'tls') await certificateAccepted(socket, target, signal);
    // Requests are small and wait for their answers: Nagle's algorithm would only delay them.
    socket.setNoDelay(true);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error instanceof LibvirtTransportError ? error : connectFailure(target, error);
  }
}

function dial({ address }: Target): Socket {
  if (address.transport === 'unix') return connect({ path: address.path });
  const { host, port } = address;
  if (address.transport === 'tcp') return connect({ host, port });
  const { ca, cert, key, servername } = address.tls;
  return connectTls({ host, port, ca, cert, key, ...(servername === undefined ? {} : { servername }) });
}

/** Resolves at the event, rejects at an error, the socket's end or the signal. */
function settled(socket: Socket, event: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onEvent = () => done(resolve);
    const onError = (error: Error) => done(() => reject(error));
    const onClose = () => done(() => reject(new Error('closed by the daemon')));
    const onAbort = () => done(() => reject(signal.reason));
    const done = (settle: () => void) => {
      socket.off(event, onEvent).off('error', onError).off('close', onClose).off('end', onClose);
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    socket.once(event, onEvent).once('error', onError).once('close', onClose).once('end', onClose);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
}

async function certificateAccepted(socket: Socket, target: Target, signal: AbortSignal): Promise<void> {
  let first: unknown;
  try {
    await settled(socket, 'readable', signal);
    first = socket.read(1)?.[0];
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw refusedCertificate(target, cause);
  }
  if (first !== CERTIFICATE_ACCEPTED) throw refusedCertificate(target, undefined);
}

function refusedCertificate(target: Target, cause: unknown): LibvirtTransportError {
  return new LibvirtTransportError(
    'refused',
    `libvirt at ${target.place} closed the connection after the TLS handshake: it does not accept our client certificate. ` +
      "Check that the daemon's CA signed it, that it has not expired, and tls_allowed_dn_list in libvirtd.conf; the daemon's log says which",
    { mayHaveRun: false, cause },
  );
}

const HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket; is libvirtd running?',
  ECONNREFUSED: 'nothing listens there; is libvirtd running, and its listener switched on?',
  EACCES: 'the socket may not be opened by this user; run as root or join the libvirt group',
  ENOTFOUND: 'the host name does not resolve',
};

function connectFailure(target: Target, cause: unknown): LibvirtTransportError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const detail = cause instanceof Error ? cause.message : String(cause);
  const untrusted = code.startsWith('ERR_TLS') || /CERT|SIGNATURE|ISSUER/.test(code) || /certificate/i.test(detail);
  if (target.address.transport === 'tls' && untrusted) {
    const message = `the certificate of libvirt at ${target.place} is not trusted: ${detail}. Check its CA, its validity and that it names the host`;
    return new LibvirtTransportError('refused', message, { mayHaveRun: false, cause });
  }
  const hint = HINTS[code];
  const message = `libvirt at ${target.place} cannot be reached: ${detail}${hint === undefined ? '' : ` (${hint})`}`;
  return new LibvirtTransportError('unreachable', message, { mayHaveRun: false, cause });
}
