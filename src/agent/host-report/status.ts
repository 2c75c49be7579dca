import type { Host, HostStatus } from '../../api/host.ts';
import { type ConditionInput, setConditions } from '../../runtime/index.ts';
import type { CertificateReport } from '../host-certificate.ts';
import type { HostFacts } from './facts.ts';

/** All that a Host's status is made of. */
export interface HostObservation {
  /** The newest facts that libvirt gave. Absent: it never answered. */
  readonly facts: HostFacts | undefined;
  readonly libvirt: { readonly ok: true } | { readonly ok: false; readonly message: string };
  readonly virtualization: { readonly type: 'kvm' | 'qemu'; readonly reason: string; readonly message: string };
  readonly bootID: string;
  /** Where load figures are served. Absent: nowhere. */
  readonly usage: Required<Pick<HostStatus, 'address' | 'usagePort' | 'usageCertificate'>> | undefined;
  readonly sealingKey: string;
  readonly datastores: HostStatus['datastores'];
  readonly switches: HostStatus['switches'];
  readonly foreignDomains: HostStatus['foreignDomains'];
  readonly strayDomains: HostStatus['strayDomains'];
  /** By what other hosts know it. */
  readonly certificate: CertificateReport;
  readonly incomingMigrations: HostStatus['incomingMigrations'];
  /** Whether it was cut off from all others. */
  readonly isolation: ConditionInput;
  /** Absent: none is held with a watchdog. */
  readonly storageLease: HostStatus['storageLease'];
}

/** What the schema allows; more are left out, in the order given. */
const MAX_ENTRIES = 256;
const MAX_INCOMING = 64;

/** Pure: the status that says it. Transition times follow from the status before. */
export function hostStatus(host: Host, seen: HostObservation, now: Date): HostStatus {
  const observedGeneration = host.metadata.generation;
  const conditions = [readyOf(seen), kvmAvailableOf(seen), migrationReadyOf(seen), seen.isolation].map((condition) => ({
    ...condition,
    observedGeneration,
  }));
  const own = (host.status?.conditions ?? []).filter(({ type }) => conditions.some((other) => other.type === type));
  return {
    observedGeneration,
    bootID: seen.bootID,
    ...seen.usage,
    sealingKey: seen.sealingKey,
    tlsPublicKey: seen.certificate.tlsPublicKey,
    ...(seen.facts ?? lastFacts(host)),
    virtualization: seen.virtualization.type,
    datastores: seen.datastores.slice(0, MAX_ENTRIES),
    switches: seen.switches.slice(0, MAX_ENTRIES),
    foreignDomains: seen.foreignDomains.slice(0, MAX_ENTRIES),
    strayDomains: seen.strayDomains.slice(0, MAX_ENTRIES),
    incomingMigrations: seen.incomingMigrations.slice(0, MAX_INCOMING),
    ...(seen.storageLease && { storageLease: seen.storageLease }),
    conditions: [...setConditions(own, conditions, now)],
  };
}

/** While libvirt is away, what it said before still holds: hardware does not change with it. */
function lastFacts({ status }: Host): Partial<HostFacts> {
  const { cpu, numaCells, capacity, versions, systemUUID } = status ?? {};
  return {
    ...(cpu && { cpu }),
    ...(numaCells && { numaCells }),
    ...(capacity && { capacity }),
    ...(versions && { versions }),
    ...(systemUUID !== undefined && { systemUUID }),
  };
}

function readyOf({ libvirt }: HostObservation): ConditionInput {
  if (libvirt.ok) return { type: 'Ready', status: 'True', reason: 'AgentReady', message: 'libvirt answers' };
  const message = `${libvirt.message}. VMs run on, but none can be started or stopped; look at libvirtd of the host`;
  return { type: 'Ready', status: 'False', reason: 'LibvirtUnreachable', message };
}

function kvmAvailableOf({ virtualization: { type, reason, message } }: HostObservation): ConditionInput {
  return { type: 'KVMAvailable', status: type === 'kvm' ? 'True' : 'False', reason, message };
}

function migrationReadyOf({ certificate: { ready } }: HostObservation): ConditionInput {
  return { type: 'MigrationReady', status: ready.ok ? 'True' : 'False', reason: ready.reason, message: ready.message };
}
