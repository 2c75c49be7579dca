import type { Logger } from 'pino';
import type { HostDatastore } from '../../../src/agent/datastores/datastores.ts';
import { heartbeat } from '../../../src/agent/heartbeat/heartbeat.ts';
import { GuestCpus } from '../../../src/agent/host-report/guest-cpu.ts';
import { hostReport, type Reporting } from '../../../src/agent/host-report/host-report.ts';
import { agentInformers } from '../../../src/agent/informers.ts';
import type { InstancesDeps } from '../../../src/agent/instances/deps.ts';
import { Instances } from '../../../src/agent/instances/index.ts';
import { type IsolationWatchDependencies, watchIsolation } from '../../../src/agent/isolation/watch.ts';
import type { LeaseNotes } from '../../../src/agent/storage-lease/folder.ts';
import type { LeaseMachine } from '../../../src/agent/storage-lease/machine.ts';
import { leaseReader } from '../../../src/agent/storage-lease/reader.ts';
import { watchLease } from '../../../src/agent/storage-lease/report.ts';
import { mayStart } from '../../../src/agent/storage-lease/start-gate.ts';
import type { Datastore } from '../../../src/api/datastore.ts';
import type { Host, HostStatus } from '../../../src/api/host.ts';
import { HostIsolation } from '../../../src/api/host-isolation.ts';
import type { VirtualSwitch } from '../../../src/api/network.ts';
import type { LeasesAnswer } from '../../../src/api/storage-lease.ts';
import { othersReachApi } from '../../../src/core/ha/isolation.ts';
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
  /** Whether anything comes back from a host at this address. */
  readonly answersAt: (address: string) => boolean;
  /** Whether another host is seen on shared storage to reach the API server, where none has a lease there. */
  readonly othersReachApi: () => boolean;
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
const PEER_ANSWER_MS = 5;
const PEER_TIMEOUT_MS = 1_000;
const ORDERS_PATH = '/var/lib/drover/isolation.json';
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
  const events = new EventRecorder({
    client,
    reportingController: 'drover.dev/agent',
    reportingInstance: host,
    clock,
  });
  const leases = options.lease === undefined ? undefined : leasesOf(options, options.lease, datastores, log);
  const contact = { atMs: clock.monotonicMs(), isMade: false };
  const isolation = watchIsolation({
    ...common,
    hosts,
    orders: ordersIn(options.disk),
    apiSilentMs: () => clock.monotonicMs() - contact.atMs,
    hasReachedApi: () => contact.isMade,
    answers: async ({ address: peer }) => {
      const answers = options.answersAt(peer);
      await process.spend(answers ? PEER_ANSWER_MS : PEER_TIMEOUT_MS);
      return answers;
    },
    othersReachApi: () => (leases === undefined ? options.othersReachApi() : othersReachApi(leases.answer())),
    domainsLeft: () => instances.domainsLeft(),
    hasYieldedBefore: options.lease?.notes.yielded() !== undefined,
    yieldLease: () => options.lease?.notes.yieldLease(bootID),
    events,
  });
  const instances = await Instances.open({
    ...common,
    bootID,
    events,
    isolation,
    instances: intents,
    incoming,
    virtualization: 'kvm',
    cpuFeatures: () => guestCpus.features(),
    portOf: ({ virtualSwitchName }) => Promise.resolve({ bridge: virtualSwitchName, mtuBytes: 1500 }),
    storage: storageOf(datastores, options),
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
  const report = hostReport({
    ...common,
    hosts,
    virtualization: { type: 'kvm', reason: 'KVMOffered', message: 'libvirt offers KVM' },
    guestCpus,
    bootID,
    agentVersion: 'simulated',
    usage: { address, usagePort: 9445, usageCertificate: options.certificate },
    sealingKey: 'none',
    datastores: seenDatastores(datastores, hosts, options),
    switches: seenSwitches(switches),
    domains: instances.domains,
    certificate: { report: () => CERTIFICATE, onChange: QUIET },
    incoming: instances.incoming,
    storageLease: leases?.report ?? { report: () => undefined, onChange: QUIET },
    isolation,
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
  const beat = heartbeat({
    ...common,
    durationSeconds: LEASE_SECONDS,
    lag: NO_LAG,
    onRenewed: () => {
      contact.atMs = clock.monotonicMs();
      contact.isMade = true;
      options.lease?.notes.writeContact(timeline.nowMs);
    },
  });
  const parts = [manager, instances, report, beat, isolation, ...(leases?.parts ?? [])];
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
  return { answer: reader.answer, report, parts: [reader, report] };
}

const CERTIFICATE = {
  tlsPublicKey: 'none',
  ready: { ok: true, reason: 'OwnCertificates', message: 'it has certificates' },
};

/** What the operator has told about isolation, on the host's own disk. */
function ordersIn(disk: Disk): IsolationWatchDependencies['orders'] {
  return {
    get: () => {
      const text = disk.get(ORDERS_PATH);
      return text === undefined ? undefined : HostIsolation.parse(JSON.parse(text));
    },
    keep: async (orders) => {
      if (orders === undefined) disk.delete(ORDERS_PATH);
      else disk.set(ORDERS_PATH, JSON.stringify(orders));
    },
  };
}

function storageOf(
  informer: SharedInformer<Datastore>,
  { datastores, host, onDatastores }: AgentOptions,
): InstancesDeps['storage'] {
  return {
    lostDatastoreOf: (path) => {
      const found = datastores.find((each) => each.holds(path) && !each.isAvailableOn(host));
      return informer.list().find(({ spec }) => spec.path === found?.path)?.metadata.name;
    },
    onChange: onDatastores,
  };
}

function seenDatastores(
  informer: SharedInformer<Datastore>,
  hosts: SharedInformer<Host>,
  { datastores, host, onDatastores, process }: AgentOptions,
): Reporting<HostStatus['datastores']> {
  const since = new Map<string, string>();
  return {
    complete: informer.synced(),
    report: () =>
      informer.list().flatMap(({ metadata: { name }, spec }): HostDatastore[] => {
        const found = datastores.find(({ path }) => path === spec.path);
        if (found === undefined) return [];
        const fault = found.lossOn(host);
        if (fault === undefined) {
          since.delete(name);
          return [{ name, available: true, id: found.id, message: '' }];
        }
        const before = hosts.get(host)?.status?.datastores.find((each) => each.name === name)?.loss?.since;
        const noticed = since.get(name) ?? before ?? process.clock.now().toISOString();
        since.set(name, noticed);
        return [{ name, available: false, message: 'I/O error', loss: { reason: fault.reason, since: noticed } }];
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
