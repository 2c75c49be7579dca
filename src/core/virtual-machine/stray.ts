import type { Host } from '../../api/host.ts';

/**
 * The host that reports a domain of a VM for which it has no intent, and whose boot is not proven to be over: as after etcd was restored
 * from a backup, or somebody has taken the finalizer of an instance away. Undefined: none does. It is a report and no proof: a host
 * that is silent or has not looked yet reports nothing.
 * @param hosts those that may run it
 */
export function hostOfStray(domainUUID: string, hosts: readonly Host[]): string | undefined {
  const found = hosts.find(({ status }) => {
    const { bootID, availability, strayDomains = [] } = status ?? {};
    const isOver = availability?.fence?.confirmedAt !== undefined && availability.fence.bootID === bootID;
    return !isOver && strayDomains.some(({ uuid }) => uuid === domainUUID);
  });
  return found?.metadata.name;
}
