import type { Host } from '../../api/host.ts';
import { NOTICED_BY_ALL_MS } from '../../core/ha/datastore-fault.ts';
import type { Clock } from '../../runtime/index.ts';

/**
 * For how long it is the same hosts that have lost a datastore, as this process has seen it. Hosts notice one after the other that it
 * is gone, and that it is back: in between it looks as if some had lost it alone. An operator that has just begun waits as long.
 */
export class SteadyLosses {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #seen = new Map<string, { readonly hosts: string; readonly sinceMs: number }>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** How long to wait until all hosts had the time to notice, in milliseconds; 0: they had. */
  waitMs(datastore: string, hosts: readonly Host[]): number {
    const nowMs = this.#clock.monotonicMs();
    const having = hosts
      .filter(({ status }) => status?.datastores.some(({ name, loss }) => name === datastore && loss !== undefined))
      .map(({ metadata }) => metadata.name)
      .toSorted()
      .join();
    const before = this.#seen.get(datastore);
    const seen = before?.hosts === having ? before : { hosts: having, sinceMs: nowMs };
    this.#seen.set(datastore, seen);
    return Math.max(0, seen.sinceMs + NOTICED_BY_ALL_MS - nowMs);
  }
}
