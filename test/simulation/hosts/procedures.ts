import { GUEST_AGENT_CHANNEL } from '../../../src/domain/devices.ts';
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
import { type Hypervisor, refOf, setMetadata } from './hypervisor.ts';
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

/** The target of the guest agent's channel, in a domain's XML. */
const CHANNEL = `name="${GUEST_AGENT_CHANNEL}"`;
/** How long libvirt waits for a guest. */
const GUEST_ANSWER_MS = 5_000;

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
  connectGetAllDomainStats: ({ hypervisor, daemon }, { doms = [] }) => ({
    retStats: [...hypervisor.domains.values()]
      .filter(({ uuid }) => doms.length === 0 || doms.some((dom) => dom.uuid === uuid))
      .map((domain) => ({
        dom: refOf(domain),
        params: {
          'state.state': domain.state,
          'state.reason': domain.reason,
          'block.count': domain.disks.length,
          // One that writes does so all the time.
          'block.0.wr.reqs': domain.guest.isBusy ? Math.round(daemon.clock.monotonicMs()) : 0,
        },
      })),
  }),
  domainGetXmlDesc: ({ hypervisor }, { dom }) => {
    const { xml, guest } = hypervisor.domain('domainGetXmlDesc', dom.uuid);
    return { xml: guest.isConnected ? xml.replace(CHANNEL, `${CHANNEL} state="connected"`) : xml };
  },
  domainAgentSetResponseTimeout: () => ({ result: 0 }),
  domainGetTime: async ({ hypervisor, daemon }, { dom }) => {
    await askGuest(hypervisor, daemon, 'domainGetTime', dom.uuid);
    return { seconds: 0n, nseconds: 0 };
  },
  domainGetGuestInfo: async ({ hypervisor, daemon }, { dom }) => {
    await askGuest(hypervisor, daemon, 'domainGetGuestInfo', dom.uuid);
    return { params: {} };
  },
  domainReset: ({ hypervisor }, { dom }) => {
    hypervisor.reset(ready(hypervisor, 'domainReset', dom.uuid));
    return undefined;
  },
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

/** @throws LibvirtError when its tools are not there, or do not answer in time */
async function askGuest(hypervisor: Hypervisor, daemon: Process, procedure: string, uuid: string): Promise<void> {
  const { guest, state } = hypervisor.domain(procedure, uuid);
  const unresponsive = (why: string) =>
    refusal(procedure, 'AGENT_UNRESPONSIVE', `Guest agent is not responding: ${why}`);
  if (!guest.isConnected) throw unresponsive('QEMU guest agent is not connected');
  if (guest.answers && state === DomainState.RUNNING) return;
  await daemon.spend(GUEST_ANSWER_MS);
  throw unresponsive("guest agent didn't respond to synchronization within '5' seconds");
}

/** One that is being started takes no orders. */
function ready(hypervisor: Hypervisor, procedure: string, uuid: string): Domain {
  const domain = hypervisor.domain(procedure, uuid);
  if (domain.state === DomainState.PAUSED && domain.reason === PausedReason.STARTING_UP) {
    throw refusal(procedure, 'OPERATION_INVALID', 'Requested operation is not valid: domain is being started');
  }
  return domain;
}
