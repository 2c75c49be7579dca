import type { Logger } from 'pino';
import { othersReachApi } from '../core/ha/isolation.ts';
import { bootTimeMs, hostFiles, readBootId } from '../host/index.ts';
import { EventRecorder, type KubeApi } from '../kube/index.ts';
import { type Libvirt, openLibvirt } from '../libvirt/index.ts';
import { type Clock, Manager, type Metrics } from '../runtime/index.ts';
import { openSealed } from '../runtime/sealed.ts';
import { whoAnswers } from '../runtime/who-answers.ts';
import { countedLibvirt } from './counted-libvirt.ts';
import { watchDatastores } from './datastores/datastores.ts';
import { heartbeat } from './heartbeat/heartbeat.ts';
import { hostCertificate } from './host-certificate.ts';
import { GuestCpus } from './host-report/guest-cpu.ts';
import { hostReport } from './host-report/host-report.ts';
import { imagesController } from './images/controller.ts';
import { agentInformers } from './informers.ts';
import { Instances } from './instances/index.ts';
import { IsolationOrders } from './isolation/orders.ts';
import { watchIsolation } from './isolation/watch.ts';
import { sealingKeyIn } from './sealing-key.ts';
import { LeaseFolder } from './storage-lease/folder.ts';
import { openLeaseFiles } from './storage-lease/machine.ts';
import { leaseReader } from './storage-lease/reader.ts';
import { TermOverError, watchLease } from './storage-lease/report.ts';
import { mayStart } from './storage-lease/start-gate.ts';
import { watchSwitches } from './switches/switches.ts';
import { measureUsage } from './usage/measure.ts';
import { usageEndpoint } from './usage-endpoint.ts';
import { chooseVirtualization, type Virtualization } from './virtualization.ts';
import { volumesController } from './volumes/controller.ts';

export interface AgentOptions {
  /** Name of this host, and of its Node. */
  readonly host: string;
  readonly client: KubeApi;
  /** Libvirt URI; see `LibvirtOptions`. */
  readonly libvirtUri: string;
  readonly virtualization: Virtualization['type'] | 'auto';
  /** What must survive a reboot. */
  readonly stateDirectory: string;
  readonly seedDirectory: string;
  /** By which it speaks with the keeper of the host's lease on storage. A reboot must take it. */
  readonly leaseDirectory: string;
  /** Where libvirt writes the logs of domains. */
  readonly domainLogDirectory: string;
  /** Where libvirt's QEMU driver keeps its record of each running domain. */
  readonly domainRunDirectory: string;
  /** Pid file of the libvirt daemon. */
  readonly libvirtPidFile: string;
  /** Folder below which libvirt and QEMU look for the certificates by which hosts know each other. */
  readonly pkiDirectory: string;
  /** IP address at which others reach this host. */
  readonly address: string;
  /** TCP port for load figures; 0 picks a free one. */
  readonly usagePort: number;
  readonly version: string;
  readonly leaseDurationSeconds: number;
  /** How many VMs are worked on at once. */
  readonly concurrency: number;
  /** Where health and metrics are served. */
  readonly http: { readonly host: string; readonly port: number };
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

const LIBVIRT_RETRY_MS = 2_000;
/** A peer that lives answers within milliseconds; it is asked again a second later. */
const PEER_TIMEOUT_MS = 1_000;

/**
 * Runs the agent of one host until the signal is aborted, or its lease on storage begins a new term: an agent serves one boot, or one
 * term of it, and is then started anew. VMs run on without it.
 * @throws Error when what it keeps on the host cannot be read.
 */
export async function runAgent(options: AgentOptions, stop: AbortSignal): Promise<void> {
  const libvirt = await reachLibvirt(options, stop);
  if (libvirt === undefined) return;
  try {
    await runWithLibvirt(options, libvirt, stop);
  } catch (error) {
    if (!(error instanceof TermOverError)) throw error;
    options.log.warn({ why: error.message }, 'the agent ends, to be started anew');
  } finally {
    await libvirt.close();
  }
}

async function runWithLibvirt(options: AgentOptions, libvirt: Libvirt, stop: AbortSignal): Promise<void> {
  const { client, host, clock, log, metrics, stateDirectory } = options;
  const virtualization = await chooseVirtualization(libvirt, options.virtualization);
  log.info({ host, virtualization: virtualization.type, why: virtualization.message }, 'libvirt answers');
  const informers = agentInformers(client, host, clock, log);
  const common = { host, client, libvirt, clock, log, metrics, stateDirectory };
  const guestCpus = new GuestCpus(libvirt, virtualization.type);
  const folder = new LeaseFolder(options.leaseDirectory);
  const kernelBootID = await readBootId();
  const bootID = folder.readState(kernelBootID)?.bootID ?? kernelBootID;
  const sealingKey = await sealingKeyIn(stateDirectory);
  const datastores = await watchDatastores({
    ...common,
    datastores: informers.datastores,
    reportedBefore: (name) => informers.hosts.get(host)?.status?.datastores.find((each) => each.name === name),
    diskPaths: () => informers.instances.list().flatMap(({ spec }) => spec.disks.map(({ path }) => path)),
  });
  const leases = leaseReader({
    ...common,
    datastores,
    shared: () => informers.datastores.list().flatMap(({ metadata, spec }) => (spec.shared ? [metadata.name] : [])),
    folder,
    machine: { bootTimeMs, openFiles: openLeaseFiles },
  });
  const storageLease = watchLease({ folder, bootID, clock });
  const switches = watchSwitches({ ...common, ...informers, network: {} });
  const volumes = volumesController({ ...common, ...informers, datastores });
  const images = imagesController({ ...common, images: informers.images, datastores });
  const events = new EventRecorder({
    client,
    reportingController: 'drover.dev/agent',
    reportingInstance: host,
    clock,
    onError: (err) => log.debug({ err }, 'an event was not written'),
  });
  const orders = await IsolationOrders.load(stateDirectory);
  const contact = { atMs: clock.monotonicMs(), isMade: false };
  const isolation = watchIsolation({
    ...common,
    hosts: informers.hosts,
    orders,
    apiSilentMs: () => clock.monotonicMs() - contact.atMs,
    hasReachedApi: () => contact.isMade,
    answers: async ({ address: peer, port: at }, signal) =>
      (await whoAnswers(peer, at, AbortSignal.any([signal, AbortSignal.timeout(PEER_TIMEOUT_MS)]))) !== 'Nobody',
    othersReachApi: () => othersReachApi(leases.answer()),
    domainsLeft: () => instances.domainsLeft(),
    hasYieldedBefore: folder.yielded()?.startsWith(kernelBootID) ?? false,
    yieldLease: () => folder.yieldLease(bootID),
    events,
  });
  const instances = await Instances.open({
    ...common,
    bootID,
    events,
    instances: informers.instances,
    incoming: informers.incoming,
    virtualization: virtualization.type,
    cpuFeatures: () => guestCpus.features(),
    portOf: (nic) => switches.portOf(nic),
    storage: datastores,
    isolation,
    mayStart: () => mayStart(folder, bootID, bootTimeMs()),
    openUserData: (box, context) => openSealed(sealingKey.privateKey, box, context).toString('utf8'),
    seedDirectory: options.seedDirectory,
    logDirectory: options.domainLogDirectory,
    domainRunDirectory: options.domainRunDirectory,
    daemonPidFile: options.libvirtPidFile,
    files: hostFiles,
    concurrency: options.concurrency,
  });
  const certificate = await hostCertificate({ ...common, hosts: informers.hosts, pkiDirectory: options.pkiDirectory });
  const { operatorCertificate } = informers;
  const measure = measureUsage({ ...common, instances: informers.instances, bootID });
  const { address, usagePort: port } = options;
  const usage = await usageEndpoint({ ...common, address, port, operatorCertificate, measure, leases: leases.answer });
  const report = hostReport({
    ...common,
    hosts: informers.hosts,
    virtualization,
    guestCpus,
    bootID,
    agentVersion: options.version,
    usage: usage.reported,
    sealingKey: sealingKey.publicKey,
    datastores,
    switches,
    domains: instances.domains,
    certificate,
    incoming: instances.incoming,
    storageLease,
    isolation,
  });
  const manager = new Manager({
    log,
    metrics,
    informers: Object.values(informers),
    controllers: () => [instances.controller, instances.incoming.controller, volumes.controller, images],
    http: options.http,
    clock,
  });
  const beat = heartbeat({
    ...common,
    durationSeconds: options.leaseDurationSeconds,
    onRenewed: () => {
      contact.atMs = clock.monotonicMs();
      contact.isMade = true;
      try {
        folder.writeContact(bootTimeMs());
      } catch (err) {
        log.debug({ err }, 'cannot tell the lease keeper that the API server is reached');
      }
    },
  });
  try {
    await together(
      stop,
      [manager, instances, datastores, switches, certificate, report, beat, leases, storageLease, isolation].map(
        (part) => (signal) => part.run(signal),
      ),
    );
  } finally {
    await Promise.all([volumes.close(), usage.server.close()]);
  }
}

/** Runs all parts until the signal is aborted. When one fails, the others are ended too: half an agent helps nobody. */
async function together(
  stop: AbortSignal,
  parts: readonly ((signal: AbortSignal) => Promise<unknown>)[],
): Promise<void> {
  const failure = new AbortController();
  const signal = AbortSignal.any([stop, failure.signal]);
  const endings = await Promise.allSettled(
    parts.map((part) =>
      part(signal).catch((error: unknown) => {
        failure.abort(error);
        throw error;
      }),
    ),
  );
  const failed = endings.find((ending) => ending.status === 'rejected');
  if (failed !== undefined && !stop.aborted) throw failed.reason;
}

/** Undefined: stopped before the daemon answered. */
async function reachLibvirt(options: AgentOptions, stop: AbortSignal): Promise<Libvirt | undefined> {
  const { libvirtUri: uri, log, metrics, clock } = options;
  while (!stop.aborted) {
    try {
      const libvirt = await openLibvirt({ uri, log: (level, message, details) => log[level](details, message) });
      return countedLibvirt(libvirt, metrics);
    } catch (err) {
      log.warn({ err, uri, afterMs: LIBVIRT_RETRY_MS }, 'cannot reach libvirt; trying again');
      await clock.sleep(LIBVIRT_RETRY_MS, stop).catch(() => undefined);
    }
  }
  return undefined;
}
