import {
  type ArgsOf,
  type CallName,
  DomainStart,
  DomainState,
  JobOperation,
  JobType,
  PausedReason,
  type ReplyOf,
} from '../../../src/libvirt/index.ts';
import type { Process } from '../engine/process.ts';
import type { Domain } from './domain.ts';
import { type Hypervisor, setMetadata } from './hypervisor.ts';
import { refusal } from './libvirt-errors.ts';
import { type MigrationTarget, migrate } from './migrate.ts';

/** What carries procedures out on one host. */
export interface DaemonScope {
  readonly hypervisor: Hypervisor;
  readonly daemon: Process;
  readonly cpuCores: number;
  readonly memoryBytes: number;
  /** Of the machine's SMBIOS. */
  readonly systemUUID: string;
  /** Finds the host that a libvirt URI names. Undefined: nobody answers there. */
  readonly targetAt: (uri: string) => MigrationTarget | undefined;
}

type Procedures = {
  readonly [N in CallName]?: (scope: DaemonScope, args: ArgsOf<N>) => ReplyOf<N> | Promise<ReplyOf<N>>;
};

const KIB = 1024;
const LIBVIRT_VERSION = 9_000_000n;
const CPU = '<cpu><model>Skylake</model><vendor>Intel</vendor></cpu>';
const DOMAIN_CAPABILITIES =
  '<domainCapabilities><cpu><mode name="host-model" supported="yes"><model>Skylake</model></mode></cpu></domainCapabilities>';
const GUEST_CPU = '<cpu><feature policy="require" name="aes"/></cpu>';

/** libvirt's procedures, as far as the agent calls them. */
export const PROCEDURES: Procedures = {
  connectGetLibVersion: () => ({ libVer: LIBVIRT_VERSION }),
  connectGetVersion: () => ({ hvVer: LIBVIRT_VERSION }),
  connectGetCapabilities: ({ systemUUID }) => ({
    capabilities: `<capabilities><host><uuid>${systemUUID}</uuid>${CPU}</host></capabilities>`,
  }),
  connectGetDomainCapabilities: () => ({ capabilities: DOMAIN_CAPABILITIES }),
  connectBaselineHypervisorCpu: () => ({ cpu: GUEST_CPU }),
  connectBaselineCpu: () => ({ cpu: GUEST_CPU }),
  nodeGetInfo: ({ cpuCores, memoryBytes }) => ({
    model: 'x86_64',
    memory: BigInt(memoryBytes / KIB),
    cpus: cpuCores,
    mhz: 2_000,
    nodes: 1,
    sockets: 1,
    cores: cpuCores,
    threads: 1,
  }),
  connectListAllDomains: ({ hypervisor }) => {
    const domains = [...hypervisor.domains.values()].map(refOf);
    return { domains, ret: domains.length };
  },
  connectGetAllDomainStats: ({ hypervisor }) => ({
    retStats: [...hypervisor.domains.values()].map((domain) => ({
      dom: refOf(domain),
      params: { 'state.state': domain.state, 'state.reason': domain.reason },
    })),
  }),
  domainGetXmlDesc: ({ hypervisor }, { dom }) => ({ xml: hypervisor.domain('domainGetXmlDesc', dom.uuid).xml }),
  domainGetState: ({ hypervisor }, { dom }) => {
    const { state, reason } = hypervisor.domain('domainGetState', dom.uuid);
    return { state, reason };
  },
  domainCreateXml: async ({ hypervisor, daemon }, { xmlDesc, flags = 0 }) => {
    const domain = await hypervisor.create(xmlDesc, (flags & DomainStart.PAUSED) !== 0, daemon);
    return { dom: refOf(domain) };
  },
  domainSuspend: ({ hypervisor }, { dom }) => {
    hypervisor.suspend(ready(hypervisor, 'domainSuspend', dom.uuid), 'user');
    return undefined;
  },
  domainResume: ({ hypervisor }, { dom }) => {
    hypervisor.resume(ready(hypervisor, 'domainResume', dom.uuid));
    return undefined;
  },
  domainShutdownFlags: ({ hypervisor }, { dom }) => {
    hypervisor.shutdown(ready(hypervisor, 'domainShutdownFlags', dom.uuid));
    return undefined;
  },
  domainDestroyFlags: ({ hypervisor }, { dom }) => {
    hypervisor.destroy(hypervisor.domain('domainDestroyFlags', dom.uuid));
    return undefined;
  },
  domainSetMetadata: ({ hypervisor }, { dom, metadata, uri }) => {
    setMetadata(hypervisor.domain('domainSetMetadata', dom.uuid), metadata ?? '', uri ?? '');
    return undefined;
  },
  domainMigrateSetMaxDowntime: ({ hypervisor }, { dom }) => {
    hypervisor.domain('domainMigrateSetMaxDowntime', dom.uuid);
    return undefined;
  },
  domainMigratePerform3Params: async ({ hypervisor, daemon, targetAt }, { dom, dconnuri }) => {
    const procedure = 'domainMigratePerform3Params';
    const domain = ready(hypervisor, procedure, dom.uuid);
    const target = targetAt(dconnuri ?? '');
    if (target === undefined) {
      throw refusal(procedure, 'OPERATION_FAILED', 'unable to connect to server: Connection refused');
    }
    await migrate(hypervisor, domain, daemon, target);
    return { cookieOut: new Uint8Array() };
  },
  domainGetJobStats: ({ hypervisor }, { dom }) => {
    const { job } = hypervisor.domain('domainGetJobStats', dom.uuid);
    if (job === undefined) return { type: JobType.NONE, params: {} };
    return {
      type: JobType.UNBOUNDED,
      params: {
        operation: JobOperation.MIGRATION_OUT,
        memory_total: BigInt(job.totalBytes),
        memory_remaining: BigInt(Math.round(job.remainingBytes)),
        memory_processed: BigInt(Math.round(job.totalBytes - job.remainingBytes)),
      },
    };
  },
  domainAbortJob: ({ hypervisor }, { dom }) => {
    const { job } = hypervisor.domain('domainAbortJob', dom.uuid);
    if (job === undefined) {
      throw refusal('domainAbortJob', 'OPERATION_INVALID', 'Requested operation is not valid: no job is active');
    }
    job.isAborted = true;
    return undefined;
  },
};

function refOf({ uuid, name, id }: Domain) {
  return { uuid, name, id };
}

/** One that is being started takes no orders. */
function ready(hypervisor: Hypervisor, procedure: string, uuid: string): Domain {
  const domain = hypervisor.domain(procedure, uuid);
  if (domain.state === DomainState.PAUSED && domain.reason === PausedReason.STARTING_UP) {
    throw refusal(procedure, 'OPERATION_INVALID', 'Requested operation is not valid: domain is being started');
  }
  return domain;
}
