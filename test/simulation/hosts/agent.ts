import type { Logger } from 'pino';
import { heartbeat } from '../../../src/agent/heartbeat/heartbeat.ts';
import { GuestCpus } from '../../../src/agent/host-report/guest-cpu.ts';
import { hostReport, type Reporting } from '../../../src/agent/host-report/host-report.ts';
import { agentInformers } from '../../../src/agent/informers.ts';
import { Instances } from '../../../src/agent/instances/index.ts';
import type { LeaseNotes } from '../../../src/agent/storage-lease/folder.ts';
import type { LeaseMachine } from '../../../src/agent/storage-lease/machine.ts';
import { leaseReader } from '../../../src/agent/storage-lease/reader.ts';
import { watchLease } from '../../../src/agent/storage-lease/report.ts';
import { mayStart } from '../../../src/agent/storage-lease/start-gate.ts';
import type { Datastore } from '../../../src/api/datastore.ts';
import type { HostStatus } from '../../../src/api/host.ts';
import type { VirtualSwitch } from '../../../src/api/network.ts';
import type { LeasesAnswer } from '../../../src/api/storage-lease.ts';
import { EventRecorder, type KubeApi, type SharedInformer } from '../../../src/kube/index.ts';
import { Manager } from '../../../src/runtime/index.ts';
import type { Process } from '../engine/process.ts';
import type { Timeline } from '../engine/timeline.ts';
import type { SimulatedDatastore } from '../world/datastore.ts';
import { logOf, unseenMetrics } from '../world/silent.ts';
import { type Disk, simulatedFiles } from './files.ts';
import { DOMAIN_LOG_DIRECTORY } from './hypervisor.ts';
import { type Daemon, simulatedLibvirt } from './libvirt.ts';
import { playedVolumes } from './volumes.ts';

export interface AgentOptions {
  readonly host: string;
  readonly address: string;
  readonly bootID: string;
  /** By which its process proves to be the one that its report speaks of. */
  readonly certificate: string;
  readonly client: KubeApi;
  readonly process: Process;
  readonly timeline: Timeline;
  readonly daemon: Daemon;
  readonly disk: Disk;
  readonly datastores: readonly SimulatedDatastore[];
  /** Absent: no host of this world has a lease on storage. */
  readonly lease?: {
    readonly notes: LeaseNotes;
    readonly machine: LeaseMachine;
    /** Told how to see what it sees of others' leases. */
    readonly onAnswer: (answer: () => LeasesAnswer) => void;
  };
  /** Told whenever what the host sees of its datastores changes. Returns how to stop that. */
  readonly onDatastores: (listener: () => void) => () => void;
}

const LEASE_SECONDS = 15;
/** The process of an agent here shares its event loop with the whole world: that says nothing of it. */
const NO_LAG = { max: 0, enable: () => undefined, disable: () => undefined, reset: () => undefined };
const QUIET = () => () => undefined;

/**
 * Runs the agent of a host: the real one for all that has to do with VMs, migrations, its Lease and what it reports; played
 * are Volumes, switches, load figures and certificates, which work on files and devices and decide nothing about VMs.
 */
export async function runAgent(options: AgentOptions): Promise<void> {
  const { host, client, process, timeline, bootID, address } = options;
  const { clock } = process;
  const log = logOf(process, () => timeline.nowMs);
  const metrics = unseenMetrics();
  const {
    instances: intents,
    incoming,
    volumes,
    hosts,
    datastores,
    switches,
  } = agentInformers(client, host, clock, log);
  const libvirt = simulatedLibvirt(options.daemon, process, timeline);
  const common = { host, client, libvirt, clock, log, metrics };
  const guestCpus = new GuestCpus(libvirt, 'kvm');
  const instances = await Instances.open({
    ...common,
    bootID,
    events: new EventRecorder({ client, reportingController: 'drover.dev/agent', reportingInstance: host, clock }),
    instances: intents,
    incoming,
    virtualization: 'kvm',
    cpuFeatures: () => guestCpus.features(),
    portOf: ({ virtualSwitchName }) => Promise.resolve({ bridge: virtualSwitchName, mtuBytes: 1500 }),
    mayStart: () =>
      options.lease === undefined ? { ok: true } : mayStart(options.lease.notes, bootID, timeline.nowMs),
    openUserData: () => '',
    stateDirectory: '/var/lib/drover',
    seedDirectory: '/run/drover/seeds',
    logDirectory: DOMAIN_LOG_DIRECTORY,
    domainRunDirectory: '/run/libvirt/qemu',
    daemonPidFile: '/run/libvirtd.pid',
    files: simulatedFiles(process, options.disk, host, options.datastores),
    concurrency: 8,
  });
  const leases = options.lease === undefined ? undefined : leasesOf(options, options.lease, datastores, log);
  const report = hostReport({
    ...common,
    hosts,
    virtualization: { type: 'kvm', reason: 'KVMOffered', message: 'libvirt offers KVM' },
    guestCpus,
    bootID,
    agentVersion: 'simulated',
    usage: { address, usagePort: 9445, usageCertificate: options.certificate },
    sealingKey: 'none',
    datastores: seenDatastores(datastores, options),
    switches: seenSwitches(switches),
    domains: instances.domains,
    certificate: { report: () => CERTIFICATE, onChange: QUIET },
    incoming: instances.incoming,
    storageLease: leases?.report ?? { report: () => undefined, onChange: QUIET },
  });
  const manager = new Manager({
    log,
    metrics,
    informers: [intents, incoming, volumes, hosts, datastores, switches],
    controllers: () => [
      instances.controller,
      instances.incoming.controller,
      playedVolumes({ volumes, client, process, host, datastores: options.datastores }),
    ],
    clock,
  });
  const beat = heartbeat({ ...common, durationSeconds: LEASE_SECONDS, lag: NO_LAG });
  const parts = [manager, instances, report, beat, ...(leases?.parts ?? [])];
  await Promise.all(parts.map((part) => part.run(process.signal)));
}

/** The agent's part in leases on storage: it tells the keeper where, watches those of others, and reports its own. */
function leasesOf(
  { host, bootID, process, datastores }: AgentOptions,
  { notes, machine, onAnswer }: NonNullable<AgentOptions['lease']>,
  informer: SharedInformer<Datastore>,
  log: Logger,
) {
  const { clock } = process;
  const reader = leaseReader({
    host,
    datastores: {
      complete: informer.synced(),
      access: (name) => {
        const found = datastores.find((each) => each.name === name);
        return found?.isAvailableOn(host) ? { ok: true, root: found.path, identity: found.id } : { ok: false };
      },
    },
    shared: () => informer.list().flatMap(({ metadata, spec }) => (spec.shared ? [metadata.name] : [])),
    folder: notes,
    machine,
    clock,
    log,
  });
  onAnswer(reader.answer);
  const report = watchLease({ folder: notes, bootID, clock });
  return { report, parts: [reader, report] };
}

const CERTIFICATE = {
  tlsPublicKey: 'none',
  ready: { ok: true, reason: 'OwnCertificates', message: 'it has certificates' },
};

function seenDatastores(
  informer: SharedInformer<Datastore>,
  { datastores, host, onDatastores }: AgentOptions,
): Reporting<HostStatus['datastores']> {
  return {
    complete: informer.synced(),
    report: () =>
      informer.list().flatMap(({ metadata, spec }) => {
        const found = datastores.find(({ path }) => path === spec.path);
        if (found === undefined) return [];
        const available = found.isAvailableOn(host);
        return [
          { name: metadata.name, available, ...(available && { id: found.id }), message: available ? '' : 'I/O error' },
        ];
      }),
    onChange: (listener) => {
      const ends = [informer.onChange(listener), onDatastores(listener)];
      return () => ends.forEach((end) => void end());
    },
  };
}

function seenSwitches(informer: SharedInformer<VirtualSwitch>): Reporting<HostStatus['switches']> {
  return {
    complete: informer.synced(),
    report: () => informer.list().map(({ metadata }) => ({ name: metadata.name, available: true, message: '' })),
    onChange: (listener) => informer.onChange(listener),
  };
}
