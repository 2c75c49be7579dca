import type { Host } from '../../api/host.ts';
import { LEASES_PATH, LeasesAnswer } from '../../api/storage-lease.ts';
import { isSilent } from '../../core/model/read-host.ts';
import type { Certificate } from '../../runtime/certificate.ts';
import { fetchFromAgent } from '../usage/fetch-usage.ts';

/**
 * Asks the agents of other hosts what they see of hosts' leases on storage. Those that do not answer are left out.
 * @param hosts those that may have seen the lease of `host`
 */
export type AskLeases = (host: string, hosts: readonly Host[], signal: AbortSignal) => Promise<readonly LeasesAnswer[]>;

/** A silent host is asked about every second. */
const TIMEOUT_MS = 2_000;
/** More than watch one host (`src/agent/storage-lease/reader.ts`), since what is gone keeps its place among those that are watched. */
const MOST = 16;

/**
 * Asks the agents of other hosts what they see of hosts' leases on storage. Those that do not answer are left out.
 * @param hosts those that may have seen the lease of `host`; silent ones are not asked
 */
export async function askLeases(
  host: string,
  hosts: readonly Host[],
  identity: Certificate,
  signal: AbortSignal,
): Promise<readonly LeasesAnswer[]> {
  const asked = predecessors(
    host,
    hosts.filter((other) => !isSilent(other)),
  ).slice(0, MOST);
  const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const answers = await Promise.allSettled(
    asked.flatMap(({ metadata, status }) => {
      const { address, usagePort: port, usageCertificate: certificatePem } = status ?? {};
      if (address === undefined || port === undefined || certificatePem === undefined) return [];
      const endpoint = { host: metadata.name, address, port, certificatePem };
      return [fetchFromAgent(endpoint, LEASES_PATH, LeasesAnswer, identity, within)];
    }),
  );
  signal.throwIfAborted();
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
}

/** The hosts before it by name, the nearest first, as if they stood in a circle: a host watches those that follow it. */
function predecessors(host: string, hosts: readonly Host[]): Host[] {
  const descending = hosts
    .filter(({ metadata }) => metadata.name !== host)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? 1 : -1));
  return [
    ...descending.filter(({ metadata }) => metadata.name < host),
    ...descending.filter(({ metadata }) => metadata.name > host),
  ];
}
