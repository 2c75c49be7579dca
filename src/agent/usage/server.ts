import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import { Counter } from 'prom-client';
import { LEASES_PATH, type LeasesAnswer } from '../../api/storage-lease.ts';
import { type HostUsage, USAGE_PATH } from '../../api/usage.ts';
import type { Clock, Metrics } from '../../runtime/index.ts';

export interface UsageServerDependencies {
  /** Where to listen; port 0 picks a free one. */
  readonly address: string;
  readonly port: number;
  /** The agent's own certificate and key (PEM); the operator pins it from Host.status.usageCertificate. */
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** The one client certificate (PEM) that is let in, asked anew for each connection. Undefined: nobody is. */
  readonly clientCertificatePem: () => string | undefined;
  readonly measure: () => Promise<HostUsage>;
  /** What this host sees of the leases of others. */
  readonly leases: () => LeasesAnswer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface UsageServer {
  /** Where it listens. */
  readonly port: number;
  close(): Promise<void>;
}

/** A request has no body and one header or two; whoever takes longer is no operator. */
const TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 64;

/**
 * Serves the load figures over TLS to the one client whose certificate is pinned. A pinned certificate needs no authority:
 * that its bytes are the expected ones and that the handshake proved possession of its key is all there is to know.
 */
export async function serveUsage(deps: UsageServerDependencies): Promise<UsageServer> {
  const requests = new Counter({
    name: 'drover_usage_requests_total',
    help: 'Requests for load figures by HTTP status; `refused`: the client did not show the pinned certificate.',
    labelNames: ['outcome'],
    registers: [deps.metrics.registry],
  });
  const server = createServer(
    {
      cert: deps.certificatePem,
      key: deps.privateKeyPem,
      minVersion: 'TLSv1.3',
      requestCert: true,
      // Node would ask an authority; `onConnection` compares with the pinned certificate instead.
      rejectUnauthorized: false,
      handshakeTimeout: TIMEOUT_MS,
      requestTimeout: TIMEOUT_MS,
      headersTimeout: TIMEOUT_MS,
      maxHeaderSize: 8 * 1024,
    },
    (request, response) => {
      void answer(deps, request).then((reply) => {
        requests.inc({ outcome: String(reply.status) });
        send(response, reply);
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on('secureConnection', (socket: TLSSocket) => {
    const verdict = judgeClient(socket, deps.clientCertificatePem(), deps.clock.now());
    if (verdict === 'pinned') return;
    requests.inc({ outcome: 'refused' });
    deps.log.warn({ remote: socket.remoteAddress, why: verdict }, 'refused a client of the load figures');
    socket.destroy();
  });
  server.on('tlsClientError', (error, socket) => {
    deps.log.debug({ err: error, remote: socket.remoteAddress }, 'a TLS handshake for load figures failed');
  });
  server.listen(deps.port, deps.address);
  await once(server, 'listening');
  return { port: portOf(server), close: () => close(server) };
}

/** Resumed sessions carry the certificate of their first handshake, so that a new pin holds for them too. */
function judgeClient(socket: TLSSocket, pinnedPem: string | undefined, now: Date): string {
  if (pinnedPem === undefined) return 'the operator has not published its certificate yet';
  const shown = socket.getPeerX509Certificate();
  if (shown === undefined) return 'it showed no certificate';
  const pinned = parseCertificate(pinnedPem);
  if (pinned === undefined) return 'what the operator published is no certificate';
  if (!shown.raw.equals(pinned.raw)) return `its certificate (SHA-256 ${shown.fingerprint256}) is not the operator's`;
  if (now < shown.validFromDate || now > shown.validToDate) return 'its certificate is not valid at this time';
  return 'pinned';
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

async function answer(
  { measure, leases, log }: UsageServerDependencies,
  { method, url }: IncomingMessage,
): Promise<Reply> {
  if (url !== USAGE_PATH && url !== LEASES_PATH)
    return { status: 404, body: { error: `only ${USAGE_PATH} and ${LEASES_PATH} are served here` } };
  if (method !== 'GET') return { status: 405, body: { error: 'only GET is possible' } };
  if (url === LEASES_PATH) return { status: 200, body: leases() };
  try {
    return { status: 200, body: await measure() };
  } catch (error) {
    log.warn({ err: error }, 'cannot measure the load');
    const why = error instanceof Error ? error.message : String(error);
    return { status: 503, body: { error: `the load cannot be measured now: ${why}` } };
  }
}

function send(response: ServerResponse, { status, body }: Reply): void {
  const json = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) });
  response.end(json);
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server for load figures has no port');
  return address.port;
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
