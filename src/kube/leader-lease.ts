import type { KubeApi } from './api.ts';
import type { CallOptions } from './call.ts';
import type { Clock } from './clock.ts';
import { KubeError } from './error.ts';
import { type Lease, type LeaseSpec, leaseKind, microTime } from './lease.ts';
import type { ObjectRef } from './object.ts';

export interface LeaderLeaseOptions {
  client: KubeApi;
  lease: Required<ObjectRef>;
  identity: string;
  leaseDurationMs: number;
  clock: Clock;
}

export type Acquisition =
  /** Ours since the call was sent, at `sentAtMs` of the monotonic clock. */
  | { held: true; term: number; sentAtMs: number }
  /** Another's. It may be taken when it shows no sign of life for `remainingMs`. */
  | { held: false; holder: string; remainingMs: number };

/**
 * One lease as one candidate sees it. Another's lease counts as expired when *this* process has seen no change of it
 * for its whole duration, measured by this process's monotonic clock: clocks of two machines are never compared
 * (client-go's rule, tools/leaderelection: `observedTime`).
 */
export class LeaderLease {
  readonly #options: LeaderLeaseOptions;
  #seen: { lease: Lease; atMs: number } | undefined;

  constructor(options: LeaderLeaseOptions) {
    this.#options = options;
  }

  get holder(): string {
    return this.#seen?.lease.spec?.holderIdentity ?? '';
  }

  /** Takes the lease if it is free, expired or this identity's own. Every acquisition is a new term. */
  async acquire(call: CallOptions): Promise<Acquisition> {
    const { client, lease, identity, clock } = this.#options;
    const found = await client.get(leaseKind, lease, call).catch((error: unknown) => {
      if (error instanceof KubeError && error.isNotFound()) return undefined;
      throw error;
    });
    if (!found) return await this.#hold(1, (body) => client.create(leaseKind, body, call));
    this.#see(found);
    const spec = found.spec ?? {};
    const holder = spec.holderIdentity ?? '';
    if (holder !== '' && holder !== identity) {
      const durationMs = Math.max((spec.leaseDurationSeconds ?? 0) * 1000, this.#options.leaseDurationMs);
      const remainingMs = (this.#seen?.atMs ?? clock.monotonicMs()) + durationMs - clock.monotonicMs();
      if (remainingMs > 0) return { held: false, holder, remainingMs };
    }
    const term = (spec.leaseTransitions ?? 0) + 1;
    return await this.#hold(term, (body) => client.update(leaseKind, body, call), found);
  }

  /**
   * Shows that this term's holder is alive.
   * @returns the monotonic time at which the successful renewal was sent; undefined when the term is over.
   */
  async renew(term: number, call: CallOptions): Promise<number | undefined> {
    const { client, lease } = this.#options;
    const current = this.#seen?.lease ?? (await client.get(leaseKind, lease, call));
    this.#see(current);
    if (!this.#isMine(current, term)) return undefined;
    const sentAtMs = this.#options.clock.monotonicMs();
    try {
      const spec: LeaseSpec = { ...current.spec, renewTime: microTime(this.#options.clock.now()) };
      this.#see(await client.update(leaseKind, { ...current, spec }, call));
      return sentAtMs;
    } catch (error) {
      // The answer of an earlier renewal may have been lost on the way, or another holds it: the next try looks.
      this.#seen = undefined;
      throw error;
    }
  }

  /** Gives the lease up, so that others need not wait for it to expire. */
  async release(term: number, call: CallOptions): Promise<void> {
    const current = await this.#options.client.get(leaseKind, this.#options.lease, call);
    if (!this.#isMine(current, term)) return;
    const spec: LeaseSpec = { ...current.spec, holderIdentity: '', renewTime: microTime(this.#options.clock.now()) };
    this.#see(await this.#options.client.update(leaseKind, { ...current, spec }, call));
  }

  async #hold(term: number, write: (body: Lease) => Promise<Lease>, current?: Lease): Promise<Acquisition> {
    const { lease, identity, leaseDurationMs, clock } = this.#options;
    const now = microTime(clock.now());
    const body: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      // The version that was read is the precondition: of two candidates, one is refused.
      metadata: current?.metadata ?? { ...lease },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
        acquireTime: now,
        renewTime: now,
        leaseTransitions: term,
      },
    };
    const sentAtMs = clock.monotonicMs();
    this.#see(await write(body));
    return { held: true, term, sentAtMs };
  }

  #isMine(lease: Lease, term: number): boolean {
    return lease.spec?.holderIdentity === this.#options.identity && lease.spec.leaseTransitions === term;
  }

  #see(lease: Lease): void {
    if (this.#seen?.lease.metadata.resourceVersion === lease.metadata.resourceVersion) return;
    this.#seen = { lease, atMs: this.#options.clock.monotonicMs() };
  }
}
