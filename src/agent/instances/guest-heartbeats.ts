import type { Logger } from 'pino';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { GuestSilence } from '../../core/instance/index.ts';
import { DomainState, DomainStats, DomainStatsList, isLibvirtError, type Libvirt } from '../../libvirt/index.ts';
import type { Clock, Timer } from '../../runtime/index.ts';
import type { DomainEntry } from './domain-table.ts';

/** A guest is asked so often within the time that its policy gives it. */
const QUESTIONS_PER_TIMEOUT = 3;
const LONGEST_INTERVAL_MS = 10_000;
/** libvirt itself gives a guest 5 s for each question (see `guest-tools.ts`), and three others may come first. */
const QUESTION_TIMEOUT_MS = 25_000;
const STATS_TIMEOUT_MS = 10_000;

interface Watched {
  /** Another number at each start of the domain. */
  readonly id: number;
  intervalMs: number;
  timer?: Timer;
  /** Since the first question that was given up. */
  silence?: Silence;
}

interface Silence {
  readonly since: string;
  readonly sinceMs: number;
  lastMs: number;
  /** Reads, writes and bytes sent so far, since when it is that number, and when it was last looked at. */
  io?: { readonly count: number; readonly sinceMs: number; readonly lastMs: number };
}

/**
 * Asks guests whose tools have their channel open for a sign of life, where a policy wants to know. Only a guest that does not answer has
 * its disks and network looked at: one that is well costs one small question.
 */
export class GuestHeartbeats {
  readonly #libvirt: Libvirt;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #onChange: (uuid: string) => void;
  readonly #watched = new Map<string, Watched>();

  /** @param options.onChange told after each question that a guest has not answered, and when it answers again */
  constructor(options: { libvirt: Libvirt; clock: Clock; log: Logger; onChange: (uuid: string) => void }) {
    this.#libvirt = options.libvirt;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#onChange = options.onChange;
  }

  /** Undefined: it answers, or is not asked. */
  silence(uuid: string): GuestSilence | undefined {
    const silence = this.#watched.get(uuid)?.silence;
    if (silence === undefined) return undefined;
    const { since, sinceMs, lastMs, io } = silence;
    return { since, silentForMs: lastMs - sinceMs, quietForMs: io === undefined ? 0 : io.lastMs - io.sinceMs };
  }

  /** Begins to ask a guest, or ends it, as its domain and its policy want it. */
  follow(uuid: string, entry: DomainEntry | undefined, vmFault: VirtualMachineInstance['spec']['vmFault']): void {
    const isWanted = vmFault !== undefined && entry?.guestAgentConnected && entry.state === DomainState.RUNNING;
    const watched = this.#watched.get(uuid);
    if (watched !== undefined && (!isWanted || watched.id !== entry.id)) this.forget(uuid);
    if (!isWanted) return;
    const timeoutMs = vmFault.heartbeatTimeoutSeconds * 1000;
    const intervalMs = Math.min(timeoutMs / QUESTIONS_PER_TIMEOUT, LONGEST_INTERVAL_MS);
    const known = this.#watched.get(uuid);
    if (known !== undefined) known.intervalMs = intervalMs;
    else this.#begin(uuid, { id: entry.id, intervalMs });
  }

  /** What is known of a guest is of no use any more. */
  forget(uuid: string): void {
    this.#watched.get(uuid)?.timer?.cancel();
    this.#watched.delete(uuid);
  }

  stop(): void {
    for (const uuid of [...this.#watched.keys()]) this.forget(uuid);
  }

  #begin(uuid: string, watched: Watched): void {
    this.#watched.set(uuid, watched);
    watched.timer = this.#clock.setTimeout(() => void this.#ask(uuid, watched), watched.intervalMs);
  }

  async #ask(uuid: string, watched: Watched): Promise<void> {
    const answer = await this.#answer(uuid);
    if (this.#watched.get(uuid) !== watched) return;
    const wasSilent = watched.silence !== undefined;
    if (answer === 'Alive') delete watched.silence;
    if (answer === 'Silent') {
      const nowMs = this.#clock.monotonicMs();
      watched.silence ??= { since: this.#clock.now().toISOString(), sinceMs: nowMs, lastMs: nowMs };
      watched.silence.lastMs = nowMs;
      await this.#lookAtIO(uuid, watched.silence);
      if (this.#watched.get(uuid) !== watched) return;
    }
    watched.timer = this.#clock.setTimeout(() => void this.#ask(uuid, watched), watched.intervalMs);
    if (answer === 'Silent' || (answer === 'Alive' && wasSilent)) this.#onChange(uuid);
  }

  /**
   * Its time of day is asked for: the cheapest question that does not mark the domain as tinkered with. A guest that refuses it, as one
   * whose file systems are frozen does, has answered. When libvirt is away, or busy with the guest, nothing is known.
   */
  async #answer(uuid: string): Promise<'Alive' | 'Silent' | 'Unknown'> {
    try {
      await this.#libvirt.call('domainGetTime', { dom: { uuid } }, { timeoutMs: QUESTION_TIMEOUT_MS });
      return 'Alive';
    } catch (err) {
      this.#log.debug({ uuid, err }, 'the guest tools do not answer a question for a sign of life');
      if (isLibvirtError(err, 'AGENT_UNRESPONSIVE', 'AGENT_UNSYNCED', 'AGENT_COMMAND_TIMEOUT')) return 'Silent';
      return isLibvirtError(err, 'AGENT_COMMAND_FAILED', 'INTERNAL_ERROR') ? 'Alive' : 'Unknown';
    }
  }

  /** What cannot be counted was not quiet. */
  async #lookAtIO(uuid: string, silence: Silence): Promise<void> {
    const stats = DomainStats.BLOCK | DomainStats.INTERFACE;
    const args = { doms: [{ uuid }], stats, flags: DomainStatsList.NOWAIT };
    try {
      const { retStats } = await this.#libvirt.call('connectGetAllDomainStats', args, { timeoutMs: STATS_TIMEOUT_MS });
      const count = ioCount(retStats.find(({ dom }) => dom.uuid === uuid)?.params);
      const nowMs = this.#clock.monotonicMs();
      if (count === undefined) delete silence.io;
      else silence.io = { count, sinceMs: silence.io?.count === count ? silence.io.sinceMs : nowMs, lastMs: nowMs };
    } catch (err) {
      this.#log.debug({ uuid, err }, 'the disks and the network of a silent guest cannot be looked at');
      delete silence.io;
    }
  }
}

/**
 * Requests to disks and bytes sent. Bytes received are none of the guest's doing: a hung one is sent broadcasts all the same.
 * Names of the fields: libvirt, virConnectGetAllDomainStats.
 */
function ioCount(params: Readonly<Record<string, unknown>> | undefined): number | undefined {
  if (params === undefined) return undefined;
  const isCounted = (name: string) => /^(block\.\d+\.(rd|wr|fl)\.reqs|net\.\d+\.tx\.bytes)$/.test(name);
  const hasFigures = params['block.count'] !== undefined || params['net.count'] !== undefined;
  if (!hasFigures) return undefined;
  return Object.entries(params).reduce((sum, [name, value]) => sum + (isCounted(name) ? Number(value) : 0), 0);
}
