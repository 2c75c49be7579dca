import type { Logger } from 'pino';
import { Gauge } from 'prom-client';
import { API_VERSION } from '../../api/common/names.ts';
import { Host, type HostStatus } from '../../api/host.ts';
import { type KubeApi, KubeError, type SharedInformer } from '../../kube/index.ts';
import { isTransportError, type Libvirt, LibvirtError } from '../../libvirt/index.ts';
import type { Clock, ConditionInput, Metrics } from '../../runtime/index.ts';
import type { CertificateReport } from '../host-certificate.ts';
import { Repeat } from '../repeat.ts';
import { writeStatus } from '../write-status.ts';
import { type HostFacts, readHostFacts } from './facts.ts';
import type { GuestCpus } from './guest-cpu.ts';
import { type HostObservation, hostStatus } from './status.ts';

/** A part of the agent that says something in Host.status. */
export interface Reporting<T> {
  report(): T;
  /** Resolves when the first report is complete. Absent: it is from the start. */
  complete?: Promise<void>;
  /** Calls the listener when `report()` may say something else. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

export interface HostReportDependencies {
  /** Name of this host, and of its Node. */
  readonly host: string;
  readonly client: KubeApi;
  /** Hosts; only the one of this name is read. */
  readonly hosts: SharedInformer<Host>;
  readonly libvirt: Pick<Libvirt, 'call' | 'on'>;
  readonly virtualization: HostObservation['virtualization'];
  readonly guestCpus: GuestCpus;
  readonly bootID: string;
  readonly agentVersion: string;
  readonly usage?: HostObservation['usage'];
  /** Public half of the host's sealing key. */
  readonly sealingKey: string;
  readonly datastores: Reporting<HostStatus['datastores']>;
  readonly switches: Reporting<HostStatus['switches']>;
  readonly domains: Reporting<Pick<HostStatus, 'foreignDomains' | 'strayDomains'>>;
  readonly certificate: Reporting<CertificateReport>;
  readonly incoming: Reporting<HostStatus['incomingMigrations']>;
  readonly storageLease: Reporting<HostStatus['storageLease']>;
  readonly isolation: Reporting<ConditionInput>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** How often libvirt is asked although nothing changed. Absent: 60 s. */
  readonly intervalMs?: number;
}

export interface HostReport {
  /** Registers the host and keeps its status true until the signal is aborted; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

const INTERVAL_MS = 60_000;
/** What changes together, as at the start of the agent, is written at once. */
const SETTLE_MS = 100;
const RETRY_MS = 2_000;
/** Hardware and versions change with a reboot or an upgrade. */
const FACTS_KEPT_MS = 50_000;
const ANSWER_TIMEOUT_MS = 10_000;
/** How long the first report waits for its parts. */
const FIRST_REPORT_MS = 3_000;
const HOSTNAME_LABEL = 'kubernetes.io/hostname';

/** Says what the host is, has and can do: the only writer of Host.status but for the operator's Ready=Unknown. */
export function hostReport(deps: HostReportDependencies): HostReport {
  const observer = new LibvirtObserver(deps);
  const ready = new Gauge({
    name: 'drover_host_ready',
    help: '1 while libvirt answers and the host is registered.',
    registers: [deps.metrics.registry],
  });
  const repeat = new Repeat({
    intervalMs: deps.intervalMs ?? INTERVAL_MS,
    settleMs: SETTLE_MS,
    clock: deps.clock,
    pass: async (signal) => {
      await deps.hosts.synced(signal);
      const host = deps.hosts.get(deps.host) ?? (await register(deps, signal));
      const seen = await observer.look(signal);
      const observation = { ...deps, ...deps.domains.report(), ...seen, usage: deps.usage };
      const status = hostStatus(
        host,
        {
          ...observation,
          datastores: deps.datastores.report(),
          switches: deps.switches.report(),
          incomingMigrations: deps.incoming.report(),
          certificate: deps.certificate.report(),
          storageLease: deps.storageLease.report(),
          isolation: deps.isolation.report(),
        },
        deps.clock.now(),
      );
      await writeStatus(deps.client, Host, host, status, signal);
      ready.set(seen.libvirt.ok ? 1 : 0);
    },
    onError: (error) => {
      ready.set(0);
      deps.log.warn({ err: error }, 'cannot report the state of the host; trying again');
      deps.clock.setTimeout(() => repeat.wake(), RETRY_MS);
    },
  });

  const run = async (signal: AbortSignal): Promise<void> => {
    const wake = () => repeat.wake();
    const ends = [
      deps.hosts.onChange(({ key }) => key === deps.host && wake()),
      deps.datastores.onChange(wake),
      deps.switches.onChange(wake),
      deps.domains.onChange(wake),
      deps.certificate.onChange(wake),
      deps.storageLease.onChange(wake),
      deps.isolation.onChange(wake),
      // Somebody waits for it, to begin a migration.
      deps.incoming.onChange(() => repeat.wakeAtOnce()),
      deps.libvirt.on('connected', wake),
      deps.libvirt.on('disconnected', wake),
    ];
    // A host that restarts its agent shall not seem to lose its datastores; one that hangs shall not hide the host.
    const complete = Promise.all([deps.datastores.complete, deps.switches.complete, deps.domains.complete]);
    await Promise.race([complete, deps.clock.sleep(FIRST_REPORT_MS, signal).catch(() => undefined)]);
    await repeat.run(signal);
    for (const end of ends) end();
  };
  return { run };
}

/** The object of a host that is new, or that somebody deleted while its agent runs. */
async function register({ client, host, log }: HostReportDependencies, signal: AbortSignal): Promise<Host> {
  try {
    const metadata = { name: host, labels: { [HOSTNAME_LABEL]: host } };
    const made = await client.create<Host>(
      Host,
      { apiVersion: API_VERSION, kind: 'Host', metadata, spec: {} },
      { signal },
    );
    log.info({ host }, 'registered the host');
    return Host.object.parse(made);
  } catch (error) {
    if (!(error instanceof KubeError) || !error.isAlreadyExists()) throw error;
    return Host.object.parse(await client.get(Host, { name: host }, { signal }));
  }
}

/** Asks libvirt, and keeps what it said before for the time that it does not answer. */
class LibvirtObserver {
  readonly #deps: HostReportDependencies;
  #facts: HostFacts | undefined;
  #readMs = 0;

  constructor(deps: HostReportDependencies) {
    this.#deps = deps;
  }

  async look(signal: AbortSignal): Promise<Pick<HostObservation, 'facts' | 'libvirt'>> {
    const { libvirt, guestCpus, agentVersion, clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    try {
      if (this.#facts === undefined || nowMs - this.#readMs >= FACTS_KEPT_MS) {
        this.#facts = await readHostFacts(libvirt, guestCpus, agentVersion, signal);
        this.#readMs = nowMs;
      } else {
        // Waits for a daemon that is just restarting; one that stays away is reported.
        await libvirt.call('connectGetLibVersion', {}, { signal, timeoutMs: ANSWER_TIMEOUT_MS });
      }
      return { facts: this.#facts, libvirt: { ok: true } };
    } catch (error) {
      if (signal.aborted || !(error instanceof LibvirtError || isTransportError(error))) throw error;
      return { facts: this.#facts, libvirt: { ok: false, message: error.message } };
    }
  }
}
