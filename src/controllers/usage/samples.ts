import type { HostUsage } from '../../api/usage.ts';
import type { Clock } from '../../runtime/index.ts';

/** Older figures say nothing about the load of now. */
const KEPT_MS = 60_000;

/** The newest load figures of each host, in memory only. */
export class UsageSamples {
  readonly #clock: Clock;
  readonly #byHost = new Map<string, { readonly receivedMs: number; readonly usage: HostUsage }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  put(usage: HostUsage): void {
    this.#byHost.set(usage.host, { receivedMs: this.#clock.monotonicMs(), usage });
  }

  forget(host: string): void {
    this.#byHost.delete(host);
  }

  /** Of the hosts that have told within the last minute, by name in ascending order. */
  list(): HostUsage[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#byHost.values()]
      .filter(({ receivedMs }) => nowMs - receivedMs < KEPT_MS)
      .map(({ usage }) => usage)
      .sort((a, b) => (a.host < b.host ? -1 : 1));
  }
}
