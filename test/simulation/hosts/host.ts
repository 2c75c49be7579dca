import type { LeaseNotes } from '../../../src/agent/storage-lease/folder.ts';
import { LeaseKeeper } from '../../../src/agent/storage-lease/keeper.ts';
import type { LeasesAnswer } from '../../../src/api/storage-lease.ts';
import type { KubeApi } from '../../../src/kube/index.ts';
import { Process, type WallClock } from '../engine/process.ts';
import type { Timeline } from '../engine/timeline.ts';
import type { Powered, PowerState } from '../world/bmc.ts';
import type { SimulatedDatastore } from '../world/datastore.ts';
import { logOf } from '../world/silent.ts';
import { runAgent } from './agent.ts';
import type { Domain } from './domain.ts';
import type { Disk } from './files.ts';
import { Hypervisor, type StartFaults } from './hypervisor.ts';
import { leaseMachine, leaseNotes } from './lease.ts';
import type { Daemon } from './libvirt.ts';
import type { MigrationTarget } from './migrate.ts';
import type { DaemonScope } from './procedures.ts';
import { SimulatedWatchdog } from './watchdog.ts';

export interface HostOptions {
  readonly name: string;
  readonly address: string;
  readonly systemUUID: string;
  readonly wallClock: WallClock;
  readonly cpuCores: number;
  readonly memoryBytes: number;
  /** A keeper holds its lease on storage, with its watchdog behind it. */
  readonly keepsLease: boolean;
  /** Its agent looks at the leases of others: there are some. */
  readonly seesLeases: boolean;
  readonly timeline: Timeline;
  readonly datastores: readonly SimulatedDatastore[];
  /** How an agent of this host reaches the API server. */
  readonly clientFor: (process: Process) => KubeApi;
  /** Finds another host by the address in a libvirt URI, as far as this one reaches it. */
  readonly targetAt: (from: string, uri: string) => MigrationTarget | undefined;
  /** What the host sees of others besides the API server, by its name. */
  readonly answersAt: (from: string, address: string) => boolean;
  readonly othersReachApi: (from: string) => boolean;
  /** Something has happened on the host; with a domain, to that one. */
  readonly onFact: (what: string, domain?: Domain) => void;
}

/** From the power button until the kernel runs. */
const BOOT_MS = 20_000;
/** From there until libvirtd answers, and until the kubelet has started the agent. */
const DAEMON_START_MS = 1_000;
const AGENT_START_MS = 4_000;
const KEEPER_START_MS = 2_000;
/** How soon systemd and the kubelet start again what has ended. */
const DAEMON_RESTART_MS = 500;
const AGENT_RESTART_MS = 2_000;
const SELF_FENCE_MS = 14_000;

/** A machine with KVM: its power, its kernel, libvirtd, the agent, and what its disk keeps. */
export class SimulatedHost implements Powered, Daemon {
  readonly name: string;
  readonly address: string;
  readonly systemUUID: string;
  readonly disk: Disk = new Map();
  /** It, or its agent, has stood still. */
  wasPaused = false;
  readonly startFaults: StartFaults = { delayMs: 0 };
  readonly #options: HostOptions;
  readonly #daemonListeners = new Set<(scope: DaemonScope | undefined) => void>();
  readonly #datastoreListeners = new Set<() => void>();
  #boots = 0;
  #kernel: Process | undefined;
  #hypervisor: Hypervisor | undefined;
  #daemon: Process | undefined;
  #scope: DaemonScope | undefined;
  #agent: Process | undefined;
  #agentStarts = 0;
  #keeper: Process | undefined;
  readonly #watchdog: SimulatedWatchdog;
  /** Of this boot: a reboot takes them. */
  #notes: LeaseNotes = leaseNotes();
  #seenLeases: (() => LeasesAnswer) | undefined;
  #power: PowerState = 'Off';
  /** An agent that somebody has stopped for good stays away. */
  #agentIsWanted = true;

  constructor(options: HostOptions) {
    this.name = options.name;
    this.address = options.address;
    this.systemUUID = options.systemUUID;
    this.#options = options;
    this.#watchdog = new SimulatedWatchdog(options.timeline, () => {
      options.onFact('is reset by its watchdog');
      this.reset();
    });
  }

  get memoryBytes(): number {
    return this.#options.memoryBytes;
  }

  get power(): PowerState {
    return this.#power;
  }

  get scope(): DaemonScope | undefined {
    return this.#scope;
  }

  get hasAgent(): boolean {
    return this.#agent !== undefined;
  }

  /** Of the agent that answers whoever connects to it now. Undefined: none does. */
  get answeringCertificate(): string | undefined {
    return this.#agent === undefined || this.#agent.isPaused ? undefined : this.#certificate;
  }

  /** What its agent tells of others' leases on storage. Undefined: it does not answer. */
  get seenLeases(): LeasesAnswer | undefined {
    return this.isExecuting && this.answeringCertificate !== undefined ? this.#seenLeases?.() : undefined;
  }

  /** Whether the kernel takes connections for an agent that stands still. */
  get listens(): boolean {
    return this.isExecuting && this.#agent !== undefined;
  }

  get #certificate(): string {
    return `certificate-${this.#agentStarts}-of-${this.name}`;
  }

  /** QEMU processes, none while it is off. */
  get domains(): readonly Domain[] {
    return [...(this.#hypervisor?.domains.values() ?? [])];
  }

  get hypervisor(): Hypervisor | undefined {
    return this.#hypervisor;
  }

  /** Whether its CPUs execute anything. */
  get isExecuting(): boolean {
    return this.#kernel !== undefined && !this.#kernel.isPaused;
  }

  onChange(listener: (scope: DaemonScope | undefined) => void): () => void {
    this.#daemonListeners.add(listener);
    return () => this.#daemonListeners.delete(listener);
  }

  /** @param bootMs absent: as long as a machine takes */
  powerOn(bootMs = BOOT_MS): void {
    if (this.#power === 'On') return;
    this.#power = 'On';
    this.#options.onFact('power on');
    const boot = ++this.#boots;
    this.#options.timeline.after(bootMs, () => {
      if (this.#power === 'On' && this.#boots === boot) this.#start();
    });
  }

  powerOff(): void {
    if (this.#power === 'Off') return;
    this.#power = 'Off';
    this.#boots++;
    this.#watchdog.stop();
    this.#endAgent();
    this.#endKeeper();
    this.#endDaemon();
    this.#kernel?.kill();
    this.#kernel = undefined;
    this.#hypervisor?.cutPower();
    this.#hypervisor = undefined;
    this.#options.onFact('power off');
  }

  reset(): void {
    this.powerOff();
    this.powerOn();
  }

  /** Everything on it stands still. */
  get wallClock(): WallClock {
    return this.#options.wallClock;
  }

  pause(): void {
    this.wasPaused = true;
    for (const process of this.#processes()) process.pause('kernel');
    this.#options.onFact('stands still');
  }

  resume(): void {
    this.#options.onFact('goes on');
    for (const process of this.#processes()) process.resume('kernel');
  }

  killAgent(): void {
    if (this.#agent === undefined) return;
    this.#endAgent();
    this.#options.onFact('agent killed');
    this.#startAgentAfter(AGENT_RESTART_MS);
  }

  pauseAgent(): void {
    this.wasPaused = true;
    this.#agent?.pause('process');
    this.#options.onFact('agent stands still');
  }

  resumeAgent(): void {
    this.#options.onFact('agent goes on');
    this.#agent?.resume('process');
  }

  /** The agent is ended and stays away. */
  removeAgent(): void {
    this.#agentIsWanted = false;
    this.#endAgent();
    this.#options.onFact('agent removed');
  }

  installAgent(): void {
    if (this.#agentIsWanted) return;
    this.#agentIsWanted = true;
    this.#options.onFact('agent installed');
    this.#startAgentAfter(AGENT_RESTART_MS);
  }

  killKeeper(): void {
    if (this.#keeper === undefined) return;
    this.#endKeeper();
    this.#options.onFact('lease keeper killed');
    this.#startKeeperAfter(KEEPER_START_MS);
  }

  pauseKeeper(): void {
    if (this.#keeper === undefined) return;
    this.#keeper.pause('process');
    this.#options.onFact('lease keeper stands still');
  }

  resumeKeeper(): void {
    if (this.#keeper === undefined) return;
    this.#options.onFact('lease keeper goes on');
    this.#keeper.resume('process');
  }

  killDaemon(): void {
    if (this.#daemon === undefined) return;
    this.#endDaemon();
    this.#options.onFact('libvirtd killed');
    this.#startDaemonAfter(DAEMON_RESTART_MS);
  }

  /** What it sees of its datastores has changed. */
  datastoresChanged(): void {
    for (const listener of [...this.#datastoreListeners]) listener();
    this.#options.timeline.after(1_000, () => this.#kernel?.deliver(() => this.#hypervisor?.failDisks()));
  }

  #processes(): Process[] {
    return [this.#kernel, this.#daemon, this.#agent, this.#keeper].filter((process) => process !== undefined);
  }

  #start(): void {
    const { name, timeline, datastores, onFact } = this.#options;
    const kernel = new Process(`kernel of ${name}`, timeline);
    this.#kernel = kernel;
    this.#hypervisor = new Hypervisor({
      startFaults: this.startFaults,
      host: name,
      timeline,
      wallClock: this.wallClock,
      kernel,
      datastores,
      disk: this.disk,
      onChange: (domain, what) => onFact(`domain ${domain.name} ${what}`, domain),
    });
    this.#notes = leaseNotes();
    onFact('booted');
    this.#startDaemonAfter(DAEMON_START_MS);
    this.#startAgentAfter(AGENT_START_MS);
    if (this.#options.keepsLease) this.#startKeeperAfter(KEEPER_START_MS);
  }

  #startDaemonAfter(delayMs: number): void {
    this.#afterInKernel(delayMs, (kernel) => {
      if (this.#daemon !== undefined || this.#hypervisor === undefined) return;
      const { name, timeline, cpuCores, memoryBytes, systemUUID, wallClock, targetAt } = this.#options;
      const daemon = new Process(`libvirtd of ${name}`, timeline, wallClock);
      if (kernel.isPaused) daemon.pause('kernel');
      this.#daemon = daemon;
      this.#scope = {
        hypervisor: this.#hypervisor,
        daemon,
        cpuCores,
        memoryBytes,
        systemUUID,
        targetAt: (uri) => targetAt(name, uri),
      };
      for (const listener of [...this.#daemonListeners]) listener(this.#scope);
    });
  }

  #startAgentAfter(delayMs: number): void {
    this.#afterInKernel(delayMs, () => {
      const hypervisor = this.#hypervisor;
      if (this.#agent !== undefined || !this.#agentIsWanted || hypervisor === undefined) return;
      const { name, address, timeline, datastores, wallClock, clientFor, answersAt, othersReachApi } = this.#options;
      const agent = new Process(`agent of ${name}`, timeline, wallClock);
      this.#agent = agent;
      this.#agentStarts++;
      const running = runAgent({
        host: name,
        address,
        bootID: this.#notes.readState(this.#bootID)?.bootID ?? this.#bootID,
        certificate: this.#certificate,
        client: clientFor(agent),
        process: agent,
        timeline,
        daemon: this,
        disk: this.disk,
        datastores,
        answersAt: (peer) => answersAt(name, peer),
        othersReachApi: () => othersReachApi(name),
        ...(this.#options.seesLeases && {
          lease: {
            notes: this.#notes,
            machine: leaseMachine({
              host: name,
              process: agent,
              timeline,
              datastores,
              watchdog: this.#watchdog,
              hypervisor,
            }),
            onAnswer: (answer: () => LeasesAnswer) => {
              this.#seenLeases = answer;
            },
          },
        }),
        onDatastores: (listener) => {
          this.#datastoreListeners.add(listener);
          agent.onKill(() => this.#datastoreListeners.delete(listener));
          return () => this.#datastoreListeners.delete(listener);
        },
      });
      // An agent ends only when it has failed; the kubelet starts it again.
      running.catch((error: unknown) => {
        this.#options.onFact(`agent failed: ${error instanceof Error ? error.message : String(error)}`);
        if (this.#agent === agent) this.killAgent();
      });
    });
  }

  #startKeeperAfter(delayMs: number): void {
    this.#afterInKernel(delayMs, () => {
      const hypervisor = this.#hypervisor;
      if (this.#keeper !== undefined || hypervisor === undefined) return;
      const { name, timeline, datastores, wallClock, onFact } = this.#options;
      const process = new Process(`lease keeper of ${name}`, timeline, wallClock);
      this.#keeper = process;
      const keeper = new LeaseKeeper({
        host: name,
        bootID: this.#bootID,
        folder: this.#notes,
        machine: leaseMachine({ host: name, process, timeline, datastores, watchdog: this.#watchdog, hypervisor }),
        selfFenceMs: SELF_FENCE_MS,
        watchdog: '/dev/watchdog0',
        clock: process.clock,
        log: logOf(process, () => timeline.nowMs),
      });
      keeper.run(process.signal).catch((error: unknown) => {
        onFact(`lease keeper failed: ${error instanceof Error ? error.message : String(error)}`);
        if (this.#keeper === process) this.killKeeper();
      });
    });
  }

  #afterInKernel(delayMs: number, callback: (kernel: Process) => void): void {
    const kernel = this.#kernel;
    if (kernel === undefined) return;
    this.#options.timeline.after(delayMs, () => kernel.deliver(() => callback(kernel)));
  }

  get #bootID(): string {
    return `boot-${this.#boots}-of-${this.name}`;
  }

  #endKeeper(): void {
    this.#keeper?.kill();
    this.#keeper = undefined;
  }

  #endAgent(): void {
    this.#seenLeases = undefined;
    this.#agent?.kill();
    this.#agent = undefined;
  }

  #endDaemon(): void {
    this.#daemon?.kill();
    this.#daemon = undefined;
    if (this.#scope === undefined) return;
    this.#scope = undefined;
    for (const listener of [...this.#daemonListeners]) listener(undefined);
  }
}
