import type { Logger } from 'pino';
import { Counter } from 'prom-client';
import type { HostFiles } from '../../host/index.ts';
import { DomainState, PausedReason } from '../../libvirt/index.ts';
import type { Clock, Metrics } from '../../runtime/index.ts';
import type { DomainEntry, DomainTable } from './domain-table.ts';

export interface GhostsOptions {
  readonly table: DomainTable;
  readonly files: HostFiles;
  /** Where libvirt's QEMU driver keeps its record of each running domain. */
  readonly runDirectory: string;
  /** Pid file of the libvirt daemon. */
  readonly daemonPidFile: string;
  /** Whether a start of this agent is under way: the daemon must not be ended then. */
  readonly isStarting: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** A start that is still under way gets past its first moments within this. */
const SURELY_DEAD_MS = 10_000;
const LOOK_AGAIN_MS = 2_000;

/**
 * Domains that libvirt lists though they never ran: the daemon died between writing that a domain is being started and
 * starting QEMU. The next daemon takes such a record for a domain that is starting and neither goes on with it nor lets
 * anybody end it (libvirt's `qemuProcessReconnectHelper` passes over records without process id), and so would every one
 * after it. They are forgotten by taking the record away and starting the daemon anew; guests run on meanwhile.
 */
export class Ghosts {
  readonly #options: GhostsOptions;
  readonly #removed: Counter;
  /** Since when each suspect has been one (monotonic, milliseconds), by UUID. */
  #sinceMs = new Map<string, number>();
  #looking: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: GhostsOptions) {
    this.#options = options;
    this.#removed = new Counter({
      name: 'drover_ghost_domains_total',
      help: 'Domains without process that a libvirt daemon which died had left, and that were removed.',
      registers: [options.metrics.registry],
    });
  }

  /** Looks whether any of the domains is one; does so again by itself while one may be. */
  look(): void {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #look(): Promise<void> {
    const { log, clock } = this.#options;
    let suspects = this.#suspects();
    while (suspects.length > 0 && !this.#isStopped) {
      try {
        if (await this.#removeGhosts(suspects)) return;
      } catch (err) {
        log.error({ err }, 'cannot remove a domain that is none; it is tried again');
      }
      await clock.sleep(LOOK_AGAIN_MS);
      suspects = this.#suspects();
    }
  }

  /** Drover's own: nobody but this agent starts them. */
  #suspects(): DomainEntry[] {
    const { table, clock } = this.#options;
    if (!table.isCurrent) return [];
    const suspects = table
      .list()
      .filter(({ identity }) => identity !== undefined)
      .filter(({ state, reason }) => state === DomainState.PAUSED && reason === PausedReason.STARTING_UP);
    const nowMs = clock.monotonicMs();
    this.#sinceMs = new Map(suspects.map(({ uuid }) => [uuid, this.#sinceMs.get(uuid) ?? nowMs]));
    return suspects;
  }

  /** @returns whether there were any: the daemon ends then, and with it what the table knows. */
  async #removeGhosts(suspects: readonly DomainEntry[]): Promise<boolean> {
    const { files, runDirectory, daemonPidFile, isStarting, clock, log } = this.#options;
    const ghosts: DomainEntry[] = [];
    for (const suspect of suspects) {
      const sinceMs = this.#sinceMs.get(suspect.uuid) ?? clock.monotonicMs();
      if (clock.monotonicMs() - sinceMs < SURELY_DEAD_MS) continue;
      // The record is missing when an agent was killed after it had removed it, and before it ended the daemon.
      const { recordedPid, lives } = await files.readDomainProcess(runDirectory, suspect);
      if (recordedPid === 0 && !lives) ghosts.push(suspect);
    }
    if (ghosts.length === 0 || isStarting()) return false;
    for (const { name } of ghosts) {
      log.warn(
        { domain: name },
        'libvirt lists a domain that it never started and cannot end, since a daemon died meanwhile; its record is removed',
      );
      await files.removeDomainRecord(runDirectory, name);
    }
    log.warn('ending the libvirt daemon, so that a new one starts without them; guests run on');
    await files.endLibvirtDaemon(daemonPidFile);
    this.#removed.inc(ghosts.length);
    return true;
  }
}
