import type { Logger } from 'pino';
import { LONGEST_SHUTDOWN_SECONDS } from '../../core/ha/isolation.ts';
import type { DomainIdentity } from '../../domain/index.ts';
import { DomainShutdown, DomainState, isLibvirtError, type Libvirt, PausedReason } from '../../libvirt/index.ts';
import type { Clock } from '../../runtime/index.ts';
import type { InstancesDeps } from './deps.ts';
import type { DomainEntry, DomainTable } from './domain-table.ts';
import type { InstanceMemory } from './memory.ts';

export interface IsolatedStopDependencies {
  readonly table: DomainTable;
  readonly libvirt: Libvirt;
  readonly isolation: InstancesDeps['isolation'];
  /** What is remembered of the VM of a domain. */
  readonly memoryOf: (identity: DomainIdentity) => InstanceMemory;
  /** Whether the intents of this host's VMs are known. */
  readonly knowsIntents: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Ends the VMs of an isolated host whose agent has begun while it was cut off, and knows no intents: what is Drover's there is ended as
 * the policy says. Where intents are known, the passes over them do that. A copy that a migration holds is left alone, since nobody here
 * can tell whether it is the VM.
 */
export class IsolatedStop {
  readonly #deps: IsolatedStopDependencies;
  /** When the power button of a guest was pressed (monotonic, milliseconds), by the UUID of its domain. */
  readonly #askedAtMs = new Map<string, number>();

  constructor(deps: IsolatedStopDependencies) {
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, knowsIntents } = this.#deps;
    while (!signal.aborted && !knowsIntents()) {
      await this.#look();
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { isolation, table, libvirt, log } = this.#deps;
    const stop = isolation.stop();
    if (stop === undefined || !table.isCurrent) return;
    for (const entry of table.list()) {
      if (entry.identity === undefined || isHeldByMigration(entry)) continue;
      const { uuid, name, id, identity } = entry;
      // Its guest has not switched itself off.
      this.#deps.memoryOf(identity).stopAsked = true;
      try {
        if (stop === 'PowerOff' || this.#isDeaf(uuid)) {
          await libvirt.call('domainDestroyFlags', { dom: { uuid, name, id } });
          table.remove(uuid);
          log.warn({ domain: name }, 'powered off: the host is isolated');
        } else if (!this.#askedAtMs.has(uuid)) {
          await libvirt.call('domainShutdownFlags', { dom: { uuid, name, id }, flags: DomainShutdown.ACPI_POWER_BTN });
          this.#askedAtMs.set(uuid, this.#deps.clock.monotonicMs());
          log.warn({ domain: name }, 'asked to shut down: the host is isolated');
        }
      } catch (err) {
        if (isLibvirtError(err, 'NO_DOMAIN')) table.remove(uuid);
        else log.warn({ err, domain: name }, 'cannot end a domain of the isolated host; trying again');
      }
    }
  }

  #isDeaf(uuid: string): boolean {
    const askedAtMs = this.#askedAtMs.get(uuid) ?? Number.POSITIVE_INFINITY;
    return this.#deps.clock.monotonicMs() - askedAtMs >= LONGEST_SHUTDOWN_SECONDS * 1000;
  }
}

/** It waits for its memory here, or has sent it away. */
function isHeldByMigration({ state, reason }: DomainEntry): boolean {
  return state === DomainState.PAUSED && reason === PausedReason.MIGRATION;
}
