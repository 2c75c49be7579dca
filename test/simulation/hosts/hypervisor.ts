import { domainFacts } from '../../../src/domain/index.ts';
import {
  AgentReason,
  AgentState,
  CrashedDetail,
  CrashedReason,
  DomainState,
  type EventOf,
  LifecycleEvent,
  PausedReason,
  ResumedDetail,
  RunningReason,
  StartedDetail,
  StoppedDetail,
  SuspendedDetail,
} from '../../../src/libvirt/index.ts';
import { EPOCH_MS, type Process, type WallClock } from '../engine/process.ts';
import type { Timeline } from '../engine/timeline.ts';
import type { SimulatedDatastore } from '../world/datastore.ts';
import { type Domain, domainFromXml } from './domain.ts';
import type { Disk } from './files.ts';
import { noDomain, refusal } from './libvirt-errors.ts';

/** Where libvirt writes the logs of domains. */
export const DOMAIN_LOG_DIRECTORY = '/var/log/libvirt/qemu';

export type StopCause = 'shutdown' | 'destroyed' | 'crashed' | 'migrated';

/** From the start of a guest until its tools connect, in milliseconds. */
const TOOLS_START_MS = 5_000;

/** The events that the daemon sends. */
export type DaemonEvent =
  | { readonly name: 'lifecycle'; readonly event: EventOf<'lifecycle'> }
  | { readonly name: 'agentLifecycle'; readonly event: EventOf<'agentLifecycle'> };

/** How long QEMU takes until its guest runs, in milliseconds. */
const START_MS = 600;

const STOPPED: Readonly<Record<StopCause, number>> = {
  shutdown: StoppedDetail.SHUTDOWN,
  destroyed: StoppedDetail.DESTROYED,
  crashed: StoppedDetail.CRASHED,
  migrated: StoppedDetail.MIGRATED,
};

/** How a host takes starts of VMs, also over its boots. */
export interface StartFaults {
  /** In libvirt's words, why none is carried out. */
  words?: string | undefined;
  /** How much longer than usual each takes. */
  delayMs: number;
}

export interface HypervisorOptions {
  readonly host: string;
  readonly startFaults: StartFaults;
  readonly timeline: Timeline;
  readonly wallClock: Readonly<WallClock>;
  /** What stops with the machine's kernel. */
  readonly kernel: Process;
  readonly datastores: readonly SimulatedDatastore[];
  readonly disk: Disk;
  /** Something about a domain has changed. */
  readonly onChange: (domain: Domain, what: string) => void;
}

/** The QEMU processes of one boot of a host, with libvirt's rules about them. */
export class Hypervisor {
  readonly domains = new Map<string, Domain>();
  readonly #options: HypervisorOptions;
  readonly #listeners = new Set<(event: DaemonEvent) => void>();
  #ids = 0;

  constructor(options: HypervisorOptions) {
    this.#options = options;
  }

  onEvent(listener: (event: DaemonEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws LibvirtError when there is none */
  domain(procedure: string, uuid: string): Domain {
    const found = this.domains.get(uuid);
    if (found === undefined) throw noDomain(procedure, uuid);
    return found;
  }

  /**
   * Starts a domain.
   * @param daemon that carries it out: a start that its daemon does not survive comes to nothing
   * @throws LibvirtError
   */
  async create(xml: string, isPaused: boolean, daemon: Process): Promise<Domain> {
    const domain = this.#admit(xml);
    daemon.onKill(() => this.#abandon(domain));
    this.#log(domain, 'starting up libvirt version: 9.0.0');
    await daemon.spend(START_MS + this.#options.startFaults.delayMs);
    if (this.domains.get(domain.uuid) !== domain)
      throw refusal('domainCreateXml', 'OPERATION_FAILED', 'domain is gone');
    const locked = this.#lock(domain);
    if (locked !== undefined) {
      this.#abandon(domain);
      const message = `internal error: process exited while connecting to monitor: Failed to get "write" lock on ${locked}`;
      throw refusal('domainCreateXml', 'INTERNAL_ERROR', message);
    }
    this.setState(
      domain,
      isPaused ? DomainState.PAUSED : DomainState.RUNNING,
      isPaused ? PausedReason.USER : RunningReason.BOOTED,
    );
    this.#changed(domain, 'started');
    if (!isPaused) this.emit(domain, LifecycleEvent.RESUMED, ResumedDetail.UNPAUSED);
    this.emit(domain, LifecycleEvent.STARTED, StartedDetail.BOOTED);
    return domain;
  }

  /** Makes a domain that waits for its memory from another host. @throws LibvirtError */
  receive(xml: string): Domain {
    const domain = this.#admit(xml);
    domain.hasArrived = true;
    this.setState(domain, DomainState.PAUSED, PausedReason.MIGRATION);
    this.#log(domain, 'starting up libvirt version: 9.0.0');
    this.#changed(domain, 'receives');
    this.emit(domain, LifecycleEvent.STARTED, StartedDetail.MIGRATED);
    return domain;
  }

  /** The guest goes on here. @returns whether it could take its disks */
  takeOver(domain: Domain): boolean {
    if (this.#lock(domain) !== undefined) return false;
    this.setState(domain, DomainState.RUNNING, RunningReason.MIGRATED);
    this.#changed(domain, 'goes on here');
    this.emit(domain, LifecycleEvent.RESUMED, ResumedDetail.MIGRATED);
    return true;
  }

  /** Its CPUs stop, and its disks are let go of: another host is about to go on with it. */
  handOver(domain: Domain): void {
    this.setState(domain, DomainState.PAUSED, PausedReason.MIGRATION);
    this.unlock(domain);
    this.#changed(domain, 'is handed over');
    this.emit(domain, LifecycleEvent.SUSPENDED, SuspendedDetail.MIGRATED);
  }

  suspend(domain: Domain, reason: 'user' | 'ioError'): void {
    const isError = reason === 'ioError';
    this.setState(domain, DomainState.PAUSED, isError ? PausedReason.IOERROR : PausedReason.USER);
    this.#changed(domain, isError ? 'paused by an I/O error' : 'paused');
    this.emit(domain, LifecycleEvent.SUSPENDED, isError ? SuspendedDetail.IOERROR : SuspendedDetail.PAUSED);
  }

  /** @throws LibvirtError */
  resume(domain: Domain): void {
    const locked = this.#lock(domain);
    if (locked !== undefined) {
      throw refusal('domainResume', 'OPERATION_FAILED', `Failed to get "write" lock on ${locked}`);
    }
    this.setState(domain, DomainState.RUNNING, RunningReason.UNPAUSED);
    this.#changed(domain, 'resumed');
    this.emit(domain, LifecycleEvent.RESUMED, ResumedDetail.UNPAUSED);
    if (this.#missingDisk(domain) !== undefined) this.#options.timeline.after(1_000, () => this.failDisks());
  }

  /** Presses the power button. */
  shutdown(domain: Domain): void {
    if (domain.shutdownMs === undefined) return;
    this.#later(domain.shutdownMs, domain, () => {
      if (domain.state === DomainState.RUNNING) this.stop(domain, 'shutdown');
    });
  }

  /** Ends it, as far as its process can be killed. @throws LibvirtError */
  destroy(domain: Domain): void {
    const { datastores, host } = this.#options;
    const isHeld = domain.disks.some(({ path }) =>
      datastores.some((each) => each.holds(path) && each.lossOn(host)?.holdsQemu),
    );
    if (isHeld) {
      const message = `Failed to terminate process ${domain.id} with SIGKILL: Device or resource busy`;
      throw refusal('domainDestroyFlags', 'SYSTEM_ERROR', message);
    }
    this.stop(domain, 'destroyed');
  }

  stop(domain: Domain, cause: StopCause): void {
    if (this.domains.get(domain.uuid) !== domain) return;
    this.domains.delete(domain.uuid);
    this.unlock(domain);
    this.#log(domain, `shutting down, reason=${cause}`);
    this.#changed(domain, `stopped (${cause})`);
    this.emit(domain, LifecycleEvent.STOPPED, STOPPED[cause]);
  }

  /** Guests whose disks are gone are stopped by QEMU (error_policy=stop). */
  failDisks(): void {
    for (const domain of this.domains.values()) {
      if (domain.state === DomainState.RUNNING && this.#missingDisk(domain) !== undefined)
        this.suspend(domain, 'ioError');
    }
  }

  /** The machine has lost its power: nothing is left, and nobody tells. */
  cutPower(): void {
    for (const domain of this.domains.values()) {
      this.unlock(domain);
      this.#changed(domain, 'is lost with its host');
    }
    this.domains.clear();
    this.#listeners.clear();
  }

  setState(domain: Domain, state: number, reason: number): void {
    domain.state = state;
    domain.reason = reason;
    if (state === DomainState.RUNNING) domain.hasRun = true;
  }

  emit(domain: Domain, event: number, detail: number): void {
    this.#tell({ name: 'lifecycle', event: { dom: refOf(domain), event, detail } });
  }

  #tell(event: DaemonEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** Its tools are installed: they connect now, and after each boot of this domain. */
  installTools(domain: Domain): void {
    domain.guest.hasTools = true;
    this.#connectTools(domain, true);
  }

  /** Its kernel says so (pvpanic) and stands still. libvirt tells of the pause before it tells why. */
  panic(domain: Domain): void {
    if (domain.state !== DomainState.RUNNING) return;
    this.setState(domain, DomainState.CRASHED, CrashedReason.PANICKED);
    this.#changed(domain, 'panicked');
    this.emit(domain, LifecycleEvent.SUSPENDED, SuspendedDetail.PAUSED);
    this.emit(domain, LifecycleEvent.CRASHED, CrashedDetail.PANICKED);
  }

  /** It has not fed its watchdog. */
  expireWatchdog(domain: Domain): void {
    if (domain.state !== DomainState.RUNNING) return;
    this.setState(domain, DomainState.PAUSED, PausedReason.WATCHDOG);
    this.#changed(domain, 'paused by its watchdog');
    this.emit(domain, LifecycleEvent.SUSPENDED, SuspendedDetail.WATCHDOG);
  }

  /** Resets the machine that the guest runs on; one that is paused stays so. */
  reset(domain: Domain): void {
    this.#changed(domain, 'reset');
    this.#connectTools(domain, false);
    const { guest } = domain;
    guest.answers = true;
    const boot = ++guest.boot;
    this.#later(TOOLS_START_MS, domain, () => {
      if (guest.hasTools && guest.boot === boot) this.#connectTools(domain, true);
    });
  }

  #connectTools(domain: Domain, isConnected: boolean): void {
    if (domain.guest.isConnected === isConnected) return;
    domain.guest.isConnected = isConnected;
    const state = isConnected ? AgentState.CONNECTED : AgentState.DISCONNECTED;
    this.#tell({ name: 'agentLifecycle', event: { dom: refOf(domain), state, reason: AgentReason.CHANNEL } });
  }

  unlock(domain: Domain): void {
    for (const datastore of this.#options.datastores) datastore.unlock(domain);
  }

  #admit(xml: string): Domain {
    const domain = domainFromXml(xml, ++this.#ids);
    const { uuid, name } = domain;
    const isKnown = [...this.domains.values()].some((other) => other.uuid === uuid || other.name === name);
    if (isKnown)
      throw refusal(
        'domainCreateXml',
        'OPERATION_FAILED',
        `operation failed: domain '${name}' already exists with uuid ${uuid}`,
      );
    const { words } = this.#options.startFaults;
    if (words !== undefined) throw refusal('domainCreateXml', 'INTERNAL_ERROR', `internal error: ${words}`);
    const missing = this.#missingDisk(domain);
    if (missing !== undefined) {
      throw refusal(
        'domainCreateXml',
        'SYSTEM_ERROR',
        `Cannot access storage file '${missing}': No such file or directory`,
      );
    }
    this.domains.set(uuid, domain);
    return domain;
  }

  #missingDisk({ disks }: Domain): string | undefined {
    const { datastores, host } = this.#options;
    return disks.find(({ path }) => datastores.some((each) => each.holds(path) && !each.isAvailableOn(host)))?.path;
  }

  /** The first disk whose lock another one holds. */
  #lock(domain: Domain): string | undefined {
    const { datastores } = this.#options;
    const writable = domain.disks.filter(({ readOnly }) => !readOnly);
    return writable.find(({ path }) => datastores.some((each) => each.holds(path) && !each.lock(path, domain)))?.path;
  }

  #abandon(domain: Domain): void {
    const isStarting = domain.state === DomainState.PAUSED && domain.reason === PausedReason.STARTING_UP;
    if (!isStarting || this.domains.get(domain.uuid) !== domain) return;
    this.domains.delete(domain.uuid);
    this.unlock(domain);
    this.#log(domain, 'shutting down, reason=failed');
  }

  #later(delayMs: number, domain: Domain, callback: () => void): void {
    const { timeline, kernel } = this.#options;
    timeline.after(delayMs, () => {
      kernel.deliver(() => {
        if (this.domains.get(domain.uuid) === domain) callback();
      });
    });
  }

  #changed(domain: Domain, what: string): void {
    this.#options.onChange(domain, what);
  }

  #log({ name }: Domain, line: string): void {
    const { disk, timeline, wallClock } = this.#options;
    const path = `${DOMAIN_LOG_DIRECTORY}/${name}.log`;
    const at = new Date(EPOCH_MS + timeline.nowMs + wallClock.aheadMs)
      .toISOString()
      .replace('T', ' ')
      .replace('Z', '+0000');
    disk.set(path, `${disk.get(path) ?? ''}${at}: ${line}\n`);
  }
}

export function refOf({ uuid, name, id }: Domain): { uuid: string; name: string; id: number } {
  return { uuid, name, id };
}

/** Changes what a domain says of itself. */
export function setMetadata(domain: Domain, bareElement: string, uri: string): void {
  const prefixed = bareElement
    .replaceAll(/<(\/?)([a-z])/g, '<$1drover:$2')
    .replace('<drover:vm', `<drover:vm xmlns:drover="${uri}"`);
  domain.xml = domain.xml.replace(/<metadata>[\s\S]*<\/metadata>/, `<metadata>${prefixed}</metadata>`);
}

/** The placement that a domain was started for, or adopted by. Undefined: it is not Drover's. */
export function epochOf(domain: Domain): number | undefined {
  return domainFacts(domain.xml).identity?.epoch;
}
