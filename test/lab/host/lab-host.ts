import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { stopBmcs } from '../bmc/bmcs.ts';
import { hostIdentityOf, type LabHostIdentity, type LabIdentity } from '../identity.ts';
import {
  findProcess,
  isRunning,
  KEEP_RUNNING,
  type ProcessRecord,
  type ProcessSpec,
  startProcess,
  stopProcess,
} from '../processes.ts';
import { waitUntilReady } from '../ready.ts';
import { run } from '../run.ts';
import { clockEnvironment, hasLabClock, setLabClock } from './clock.ts';
import { hasLabCpu, type LabCpu, setLabCpu } from './cpu.ts';
import {
  type HostFiles,
  hostFilesOf,
  hostIndexesOf,
  removeHostFiles,
  SHARED_DATASTORE_PATH,
  sharedDatastoreOf,
} from './host-files.ts';
import { removeBridge, setCables } from './network.ts';
import { enterArguments, hasPower, switchOff, switchOn } from './power.ts';

/**
 * A KVM host of the lab: namespaces of this machine with a libvirtd of their own.
 *
 * It holds no state in memory: everything is found again from the lab's records, so that any process, also after a
 * crash of the one that started the host, can go on with it.
 */
export class LabHost {
  readonly lab: LabIdentity;
  /** 1 for the first host. */
  readonly index: number;
  readonly identity: LabHostIdentity;
  readonly files: HostFiles;

  constructor(lab: LabIdentity, index: number) {
    this.lab = lab;
    this.index = index;
    this.identity = hostIdentityOf(lab, index);
    this.files = hostFilesOf(lab, index);
  }

  get name(): string {
    return this.identity.name;
  }

  get address(): string {
    return this.identity.address;
  }

  /** How programs outside the host reach its libvirtd, as virsh's `-c`. */
  get libvirtUri(): string {
    return `qemu:///system?socket=${this.files.libvirtSocket}`;
  }

  /** How the libvirtd of another host of this lab reaches this one. */
  get libvirtPeerUri(): string {
    return `qemu+tls://${this.address}/system`;
  }

  /** Gives it another CPU, from its next power-on; undefined: that of the machine. It lasts until another is given. */
  setCpu(cpu: LabCpu | undefined): void {
    setLabCpu(this.files, cpu);
  }

  /** Whether it has another CPU than the machine. */
  hasOwnCpu(): boolean {
    return hasLabCpu(this.files);
  }

  /**
   * Sets its wall clock. Programs that were started before it had one of its own do not see it.
   * @param aheadSeconds of the right time, below zero behind it; undefined: it is right again
   */
  setClock(aheadSeconds: number | undefined): void {
    setLabClock(this.files, aheadSeconds);
  }

  /** Whether its wall clock is another one than the machine's. */
  hasOwnClock(): boolean {
    return hasLabClock(this.files);
  }

  hasPower(): boolean {
    return hasPower(this.lab, this.index);
  }

  /** Brings the host up with its libvirtd. Harmless when it is up. */
  async powerOn(): Promise<void> {
    await switchOn(this.lab, this.index);
    await this.startLibvirtd();
  }

  /** A power failure: everything in the host dies at the same moment, unasked. Harmless when it is off. */
  async kill(): Promise<void> {
    await switchOff(this.lab, this.index);
  }

  /**
   * Hangs as a kernel does that has died without losing its power: nothing in the host runs any more, and nothing answers for it. It
   * keeps its power, and what it had in memory, until it is switched off or thawed.
   */
  async freeze(): Promise<void> {
    await setCables(this.lab, this.index, 'down');
    await this.#signalAll('STOP');
  }

  /** Goes on where it was, as a machine does that was paused. */
  async thaw(): Promise<void> {
    await this.#signalAll('CONT');
    if (!existsSync(this.files.cutMark)) await setCables(this.lab, this.index, 'up');
  }

  /** All processes but the first one, which could not be killed with the others if it were stopped. */
  async #signalAll(signal: 'STOP' | 'CONT' | 'KILL'): Promise<void> {
    await this.run('sh', ['-c', `kill -${signal} -1`]);
  }

  /** Takes every cable of the host down. It stays cut, also over a power cycle, until `heal`. */
  async cut(): Promise<void> {
    writeFileSync(this.files.cutMark, '');
    await setCables(this.lab, this.index, 'down');
  }

  async heal(): Promise<void> {
    await setCables(this.lab, this.index, 'up');
    rmSync(this.files.cutMark, { force: true });
  }

  /** Takes the shared datastore away from the host, as a mount that is torn off: what has a file of it open keeps that. Ends with its power. */
  async loseDatastore(): Promise<void> {
    await this.run('umount', ['--lazy', SHARED_DATASTORE_PATH]);
  }

  async bringDatastoreBack(): Promise<void> {
    await this.run('mount', ['--bind', this.files.sharedDatastore, SHARED_DATASTORE_PATH]);
  }

  /**
   * From here on the host reaches the shared datastore by a file system of its own, whose paths can be cut. What was opened there before
   * does not go that way. Ends with its power, or with `removeDatastorePaths`.
   */
  async addDatastorePaths(): Promise<void> {
    await this.loseDatastore();
    const options = 'allow_other,attr_timeout=0,entry_timeout=0,negative_timeout=0';
    const mount = ['-f', '-o', options, '--enable-lock-forwarding', '--multithreaded'];
    const record = await this.startProcess({
      name: DATASTORE_PATHS,
      command: 'sh',
      args: [
        ...['-c', `echo $$ >${PATHS_PID_FILE} && exec "$@"`, 'sh'],
        ...['bindfs', ...mount, this.files.sharedDatastore, SHARED_DATASTORE_PATH],
      ],
    });
    await waitUntilReady(
      record,
      async () => {
        const type = await this.run('stat', ['--file-system', '--format=%T', SHARED_DATASTORE_PATH]);
        return type.startsWith('fuse') ? { ready: true, value: undefined } : { ready: false, because: `it is ${type}` };
      },
      { timeoutMs: 10_000 },
    );
  }

  /**
   * All paths down: whoever reads or writes in the datastore waits, and cannot even be killed, until `mendDatastorePaths` or
   * `failDatastorePaths`.
   */
  async cutDatastorePaths(): Promise<void> {
    await this.#signalPaths('STOP');
  }

  async mendDatastorePaths(): Promise<void> {
    await this.#signalPaths('CONT');
  }

  /** The paths are given up: whoever waits gets an error, and the datastore is lost for the host. Nothing else comes of a second call. */
  async failDatastorePaths(): Promise<void> {
    await this.#signalPaths('KILL').catch((error: Error) => {
      if (!error.message.includes('No such process')) throw error;
    });
  }

  async removeDatastorePaths(): Promise<void> {
    await this.failDatastorePaths();
    await this.loseDatastore();
    await this.bringDatastoreBack();
    await this.stopProcess(DATASTORE_PATHS);
  }

  async #signalPaths(signal: 'STOP' | 'CONT' | 'KILL'): Promise<void> {
    await this.run('sh', ['-c', `kill -${signal} "$(cat ${PATHS_PID_FILE})"`]);
  }

  /** Starts libvirtd unless it runs, and waits until it answers. */
  async startLibvirtd(): Promise<void> {
    const record = await this.startProcess({
      name: LIBVIRTD,
      // In the place of systemd, which starts it again by its socket or after a failure.
      command: KEEP_RUNNING,
      args: ['libvirtd', '--listen', '--config', '/etc/libvirt/libvirtd.conf'],
    });
    await waitUntilReady(record, () => this.#libvirtdAnswers(), { timeoutMs: LIBVIRTD_TIMEOUT_MS });
  }

  /**
   * Stops libvirtd alone; its domains live on.
   * @param how `killed` leaves it no time to say goodbye to its clients.
   */
  async stopLibvirtd(how: 'asked' | 'killed' = 'asked'): Promise<void> {
    await this.stopProcess(LIBVIRTD, how === 'killed' ? 0 : LIBVIRTD_TIMEOUT_MS);
  }

  async restartLibvirtd(how: 'asked' | 'killed' = 'asked'): Promise<void> {
    await this.stopLibvirtd(how);
    await this.startLibvirtd();
  }

  libvirtdRuns(): boolean {
    const record = this.findProcess(LIBVIRTD);
    return record !== undefined && isRunning(record);
  }

  /**
   * Runs a program in the host to its end and returns what it printed.
   * @throws when it fails, or when the host is off.
   */
  async run(command: string, args: readonly string[]): Promise<string> {
    return await run('nsenter', [...enterArguments(this.lab, this.index), command, ...args]);
  }

  /**
   * Starts a long-running program in the host, such as the agent. It dies with the host. Its record in the lab is
   * `<host>.<name>`. Returns the running one if there is one.
   */
  async startProcess({ cwd, ...spec }: ProcessSpec): Promise<ProcessRecord> {
    const folder = cwd === undefined ? [] : [`--wdns=${cwd}`];
    return await startProcess(this.lab.folder, {
      ...spec,
      env: { ...spec.env, ...clockEnvironment(this.files) },
      name: this.#recordName(spec.name),
      command: 'nsenter',
      args: [...enterArguments(this.lab, this.index), ...folder, spec.command, ...spec.args],
    });
  }

  findProcess(name: string): ProcessRecord | undefined {
    return findProcess(this.lab.folder, this.#recordName(name));
  }

  /** @param graceMs 0 kills at once. */
  async stopProcess(name: string, graceMs?: number): Promise<void> {
    await stopProcess(this.lab.folder, this.#recordName(name), graceMs === undefined ? {} : { graceMs });
  }

  /** Kills the host and removes all that is its own, its local datastore too; the shared one stays. */
  async destroy(): Promise<void> {
    await this.kill();
    removeHostFiles(this.lab, this.index);
  }

  #recordName(name: string): string {
    return `${this.name}.${name}`;
  }

  async #libvirtdAnswers() {
    try {
      return { ready: true, value: await run('virsh', ['-c', this.libvirtUri, 'uri']) } as const;
    } catch (error) {
      return { ready: false, because: String(error) } as const;
    }
  }
}

const LIBVIRTD = 'libvirtd';
const DATASTORE_PATHS = 'datastore-paths';
const PATHS_PID_FILE = '/run/datastore-paths.pid';
const LIBVIRTD_TIMEOUT_MS = 30_000;

/** Brings a host up, or completes it, or finds it. The lab's bridge must be there (`createBridge`). */
export async function startHost(lab: LabIdentity, index: number): Promise<LabHost> {
  const host = new LabHost(lab, index);
  await host.powerOn();
  return host;
}

/** Destroys every host of the lab, their BMCs, their bridges and the shared datastore; also what a crashed lab left. */
export async function removeHosts(lab: LabIdentity): Promise<void> {
  await stopBmcs(lab);
  for (const host of listHosts(lab)) await host.destroy();
  await removeBridge(lab);
  rmSync(sharedDatastoreOf(lab), { recursive: true, force: true });
}

/** The hosts that the lab has, with and without power. */
export function listHosts(lab: LabIdentity): LabHost[] {
  return hostIndexesOf(lab).map((index) => new LabHost(lab, index));
}
