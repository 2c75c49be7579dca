import type { Host } from '../../api/host.ts';
import type { Heartbeat } from '../../core/ha/host-step.ts';
import type { Clock, Lease, SharedInformer } from '../../kube/index.ts';
import { hostsOfLease } from './lease.ts';

interface Seen {
  readonly renewTime: string | undefined;
  /** When this process saw it change last, or else the host first (monotonic, milliseconds). */
  readonly atMs: number;
  readonly isFirst: boolean;
  readonly durationMs: number;
}

const DEFAULT_LEASE_MS = 15_000;

/**
 * When each host's lease was last seen to change, by this process's own clock: the times inside a lease are another machine's.
 * Source: client-go's leader election and the node lifecycle controller do the same.
 */
export class Heartbeats {
  readonly #clock: Clock;
  readonly #begunMs: number;
  readonly #seen = new Map<string, Seen>();
  /** When this process saw the Host first (monotonic, milliseconds). */
  readonly #knownSinceMs = new Map<string, number>();
  /** Hosts that this process has called silent, whose agents have not spoken since. */
  readonly #silent = new Set<string>();

  constructor(
    leases: Pick<SharedInformer<Lease>, 'onChange'>,
    hosts: Pick<SharedInformer<Host>, 'onChange'>,
    clock: Clock,
  ) {
    this.#clock = clock;
    this.#begunMs = clock.monotonicMs();
    leases.onChange(({ type, object }) => {
      for (const host of hostsOfLease(object)) {
        if (type === 'deleted') this.#seen.delete(host);
        else this.#look(host, object);
      }
    });
    hosts.onChange(({ type, key }) => {
      if (type === 'added') this.#knownSinceMs.set(key, clock.monotonicMs());
      if (type === 'deleted') this.#knownSinceMs.delete(key);
    });
  }

  callSilent(host: string): void {
    this.#silent.add(host);
  }

  /**
   * The Host says something else of itself than that it is silent. When this process has called it so, that is a sign of life
   * like a renewal: an agent that comes back often writes its report before its lease, and would be contradicted each time.
   */
  spoke(host: string): void {
    const seen = this.#seen.get(host);
    if (this.#silent.delete(host) && seen !== undefined) {
      this.#seen.set(host, { ...seen, atMs: this.#clock.monotonicMs(), isFirst: false });
    }
  }

  /** Time until the host's own lease is over, in milliseconds; 0 or less when it is. */
  leftMs(host: string): number {
    const { atMs, durationMs } = this.#of(host);
    return atMs + durationMs - this.#clock.monotonicMs();
  }

  /** What the lease tells of the host. */
  of(host: string): Heartbeat {
    const { atMs, isFirst, renewTime } = this.#of(host);
    const silentMs = this.#clock.monotonicMs() - atMs;
    if (!isFirst) return { kind: 'Seen', silentMs };
    const renewedMs = Date.parse(renewTime ?? '');
    const oldMs = Number.isNaN(renewedMs) ? Number.POSITIVE_INFINITY : this.#clock.now().getTime() - renewedMs;
    return { kind: 'NeverSeen', silentMs, oldMs };
  }

  /** A host that is new is not late with its first lease: that comes after the Host, and by another watch. */
  #of(host: string): Seen {
    const atMs = this.#knownSinceMs.get(host) ?? this.#begunMs;
    return this.#seen.get(host) ?? { renewTime: undefined, atMs, isFirst: true, durationMs: DEFAULT_LEASE_MS };
  }

  #look(host: string, { spec }: Lease): void {
    const known = this.#seen.get(host);
    const renewTime = spec?.renewTime;
    const durationMs = (spec?.leaseDurationSeconds ?? 0) * 1000 || DEFAULT_LEASE_MS;
    if (known !== undefined && known.renewTime === renewTime) return;
    this.#seen.set(host, { renewTime, atMs: this.#clock.monotonicMs(), isFirst: known === undefined, durationMs });
  }
}
