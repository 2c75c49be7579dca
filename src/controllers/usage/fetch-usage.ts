import { X509Certificate } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { Agent, request } from 'undici';
import type * as z from 'zod';
import { HostUsage, USAGE_PATH } from '../../api/usage.ts';
import type { Certificate } from '../../runtime/certificate.ts';
import { CodedError } from '../../runtime/index.ts';

/** Where an agent serves its figures, and by what it is known: fields of Host.status. */
export interface UsageEndpoint {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  /** PEM; trusted is exactly this one. */
  readonly certificatePem: string;
}

const TIMEOUT_MS = 5_000;
/** A VM takes about 1 KiB: enough for thousands on one host. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The load figures of one host and its VMs, over TLS with pinned certificates on both ends. A connection of its own: one
 * small request in many seconds needs none that is kept.
 * @throws CodedError AgentUnreachable when the agent does not answer, is another one, or answers nonsense.
 */
export async function fetchUsage(
  endpoint: UsageEndpoint,
  identity: Certificate,
  signal: AbortSignal,
): Promise<HostUsage> {
  return await fetchFromAgent(endpoint, USAGE_PATH, HostUsage, identity, signal);
}

/**
 * What the agent of a host serves at a path, of which it says that it is of this host.
 * @throws CodedError AgentUnreachable, as {@link fetchUsage}.
 */
export async function fetchFromAgent<T extends { readonly host: string }>(
  endpoint: UsageEndpoint,
  path: string,
  schema: z.ZodType<T>,
  identity: Certificate,
  signal: AbortSignal,
): Promise<T> {
  const { host, address, port } = endpoint;
  const dispatcher = new Agent({ maxResponseSize: MAX_BYTES, pipelining: 0, connect: tlsOf(endpoint, identity) });
  try {
    const url = `https://${isIPv6(address) ? `[${address}]` : address}:${port}${path}`;
    const answer = await request(url, {
      dispatcher,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const body = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`HTTP status ${answer.statusCode}: ${body.slice(0, 500)}`);
    const said = schema.parse(JSON.parse(body));
    if (said.host !== host) throw new Error(`it says that it is host ${said.host}`);
    return said;
  } catch (cause) {
    if (signal.aborted) throw cause;
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new CodedError(
      'AgentUnreachable',
      `The agent of host ${host} does not give ${path === USAGE_PATH ? 'its load figures' : path} at ${address}:${port}: ${words}`,
      { cause },
    );
  } finally {
    await dispatcher.destroy();
  }
}

function tlsOf({ certificatePem }: UsageEndpoint, identity: Certificate) {
  return {
    timeout: TIMEOUT_MS,
    ca: certificatePem,
    cert: identity.certificatePem,
    key: identity.privateKeyPem,
    minVersion: 'TLSv1.3' as const,
    // Not the name counts but the very certificate.
    checkServerIdentity: (_name: string, shown: { readonly raw: Buffer }) =>
      shown.raw.equals(new X509Certificate(certificatePem).raw)
        ? undefined
        : new Error('it shows another certificate than Host.status.usageCertificate'),
  };
}
