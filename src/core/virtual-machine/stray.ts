import type { Host } from '../../api/host.ts';
import type { Volume } from '../../api/volume.ts';

/**
 * The host that reports a domain of a VM for which it has no intent, and whose boot is not proven to be over: as after etcd was restored
 * from a backup, or somebody has taken the finalizer of an instance away. Undefined: none does. It is a report and no proof: a host
 * that is silent or has not looked yet reports nothing.
 * @param hosts those that may run it
 */
export function hostOfStray(domainUUID: string, hosts: readonly Host[]): string | undefined {
  return hosts.find((host) => straysOf(host).some(({ uuid }) => uuid === domainUUID))?.metadata.name;
}

/** A domain that no intent speaks of, and its host. */
export interface Stray {
  readonly host: string;
  /** namespace/name of the VM that it was. */
  readonly virtualMachine: string;
}

/**
 * The domain that may still use a Volume although no VM holds it: of the VM that it was made for, or was attached to last. Undefined: none that
 * is reported, with the same reservation.
 */
export function strayWith({ metadata, status }: Volume, hosts: readonly Host[]): Stray | undefined {
  const owners = metadata.ownerReferences.map(({ uid }) => uid);
  const attachedTo = status?.attachedTo && `${metadata.namespace}/${status.attachedTo}`;
  return hosts
    .flatMap((host) => straysOf(host).map((stray) => ({ host: host.metadata.name, ...stray })))
    .find(({ uuid, virtualMachine }) => owners.includes(uuid) || virtualMachine === attachedTo);
}

function straysOf({ status }: Host) {
  const { bootID, availability, strayDomains = [] } = status ?? {};
  const isOver = availability?.fence?.confirmedAt !== undefined && availability.fence.bootID === bootID;
  return isOver ? [] : strayDomains;
}
