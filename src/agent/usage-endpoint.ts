import type { Logger } from 'pino';
import type { HostStatus } from '../api/host.ts';
import type { SharedInformer } from '../kube/index.ts';
import { selfSignedCertificate } from '../runtime/certificate.ts';
import type { Clock, Metrics } from '../runtime/index.ts';
import { type ConfigMap, publishedCertificate } from './usage/operator-certificate.ts';
import { serveUsage, type UsageServer, type UsageServerDependencies } from './usage/server.ts';

export interface UsageEndpointOptions {
  readonly host: string;
  /** Where the operator reaches this host. */
  readonly address: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly operatorCertificate: SharedInformer<ConfigMap>;
  readonly measure: UsageServerDependencies['measure'];
  readonly leases: UsageServerDependencies['leases'];
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** A new certificate comes with each start of the agent; the operator learns it from Host.status. */
const CERTIFICATE_DAYS = 3650;

/** Serves the load figures, and tells what Host.status says about where. */
export async function usageEndpoint(options: UsageEndpointOptions): Promise<{
  readonly server: UsageServer;
  readonly reported: Required<Pick<HostStatus, 'address' | 'usagePort' | 'usageCertificate'>>;
}> {
  const { host, address, operatorCertificate, clock } = options;
  const certificate = await selfSignedCertificate({
    commonName: host,
    addresses: [address],
    now: clock.now(),
    days: CERTIFICATE_DAYS,
  });
  const server = await serveUsage({
    ...options,
    ...certificate,
    clientCertificatePem: () => publishedCertificate(operatorCertificate),
  });
  return {
    server,
    reported: { address, usagePort: server.port, usageCertificate: certificate.certificatePem },
  };
}
