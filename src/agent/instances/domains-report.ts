import type { HostStatus } from '../../api/host.ts';
import { DomainState } from '../../libvirt/index.ts';
import type { DomainEntry, DomainTable } from './domain-table.ts';
import type { Leftovers } from './leftovers.ts';

export type ReportedDomains = Pick<HostStatus, 'foreignDomains' | 'strayDomains'>;

/** Host.status holds no more of each. */
const LISTED_MAX = 256;

/** What Host.status says of domains that no intent speaks of. */
export class DomainsReport {
  /** Resolves when all domains of the host have been listed once. */
  readonly complete: Promise<void>;
  readonly #table: DomainTable;
  readonly #leftovers: Leftovers;
  readonly #listeners = new Set<() => void>();
  readonly #firstListing = Promise.withResolvers<void>();

  constructor(table: DomainTable, leftovers: Leftovers) {
    this.#table = table;
    this.#leftovers = leftovers;
    this.complete = this.#firstListing.promise;
  }

  report(): ReportedDomains {
    const foreignDomains = this.#table
      .list()
      .filter(({ identity }) => identity === undefined)
      .slice(0, LISTED_MAX)
      .map(({ uuid, name, state }) => ({ uuid, name, state: virshStateOf(state) }));
    return { foreignDomains, strayDomains: this.#leftovers.strays().slice(0, LISTED_MAX) };
  }

  /** Calls the listener when `report()` may say something else. Returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  listed(): void {
    this.#firstListing.resolve();
    this.changed();
  }
}

/** Whether a change of a domain shows in the report; those of domains that run as they should are told by their VMs. */
export function isReported(entry: DomainEntry | undefined, leftovers: Leftovers): boolean {
  return entry !== undefined && (entry.identity === undefined || leftovers.isStray(entry.uuid));
}

/** As `virsh list` names the state. */
function virshStateOf(state: number): string {
  switch (state) {
    case DomainState.RUNNING:
      return 'running';
    case DomainState.BLOCKED:
      return 'idle';
    case DomainState.PAUSED:
      return 'paused';
    case DomainState.SHUTDOWN:
      return 'in shutdown';
    case DomainState.SHUTOFF:
      return 'shut off';
    case DomainState.CRASHED:
      return 'crashed';
    case DomainState.PMSUSPENDED:
      return 'pmsuspended';
    default:
      return 'no state';
  }
}
