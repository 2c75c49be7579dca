import { LibvirtTransportError } from '../errors.ts';
import type { LibvirtOptions, TlsMaterial } from '../options.ts';

export type Address =
  | { readonly transport: 'unix'; readonly path: string }
  | { readonly transport: 'tcp'; readonly host: string; readonly port: number }
  | { readonly transport: 'tls'; readonly host: string; readonly port: number; readonly tls: TlsMaterial };

export interface Target {
  readonly address: Address;
  /** What the daemon is asked to open, e.g. `qemu:///system`. */
  readonly driverUri: string;
  /** For messages: where the daemon is, e.g. `tls://host:16514`. */
  readonly place: string;
}

const DEFAULT_SOCKET = '/run/libvirt/libvirt-sock';
/** The ports of libvirtd.conf's tcp_port and tls_port. */
const DEFAULT_PORT = { tcp: 16_509, tls: 16_514 };

/** @throws LibvirtTransportError `refused`, saying which part of the options cannot be used. */
export function targetOf(options: Pick<LibvirtOptions, 'uri' | 'socketPath' | 'tls'>): Target {
  const uri = options.uri ?? 'qemu:///system';
  const parsed = URL.parse(uri);
  if (parsed === null) throw unusable(uri, 'it is not a URI');
  const [driver, transport = parsed.hostname === '' ? 'unix' : 'tls'] = parsed.protocol.slice(0, -1).split('+');
  const driverUri = `${driver}://${parsed.pathname}`;
  if (transport === 'unix') {
    const path = options.socketPath ?? parsed.searchParams.get('socket') ?? DEFAULT_SOCKET;
    return { address: { transport, path }, driverUri, place: path };
  }
  if (transport !== 'tcp' && transport !== 'tls') {
    throw unusable(uri, `transport "${transport}" is not supported; use unix, tcp or tls`);
  }
  if (parsed.hostname === '') throw unusable(uri, 'it names no host');
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  const port = parsed.port === '' ? DEFAULT_PORT[transport] : Number(parsed.port);
  const place = `${transport}://${parsed.hostname}:${port}`;
  if (transport === 'tcp') return { address: { transport, host, port }, driverUri, place };
  if (options.tls === undefined) throw unusable(uri, 'TLS needs `tls` with ca, cert and key');
  return { address: { transport, host, port, tls: options.tls }, driverUri, place };
}

function unusable(uri: string, why: string): LibvirtTransportError {
  return new LibvirtTransportError('refused', `libvirt URI "${uri}" cannot be used: ${why}`, { mayHaveRun: false });
}
