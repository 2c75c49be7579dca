import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { addResources, NO_RESOURCES, type Resources } from '../../core/model/host.ts';
import { type Clock, type ObjectKey, refOfKey, type SharedInformer } from '../../kube/index.ts';

/** What is remembered of an instance's spec. */
export interface Placed {
  readonly host: string;
  readonly epoch: number;
  /** The migration that it is in: it counts on both hosts. */
  readonly migration?: { readonly targetHost: string; readonly order: string } | undefined;
  readonly reserved: Resources;
  readonly cpu: { readonly model?: string | undefined };
  readonly disks: readonly { readonly volumeName: string }[];
}

/** A VM that is being moved. */
export interface Moving {
  readonly key: ObjectKey;
  readonly source: string;
  readonly target: string;
  /** It is not copied yet: its target makes ready, or is. */
  readonly isPrepared: boolean;
}

/** How soon an instance that was created must have reached the cache. */
const CACHE_LAG_MS = 5_000;
/** The same where data hangs on it: a cache whose watch has broken off takes as long as its backoff. */
const LONGEST_LAG_MS = 60_000;

/**
 * What placed VMs have reserved on each host: what the cache shows, and placements that were decided a moment ago and
 * that it does not show yet. Without the latter, VMs placed in one burst would all be given the same free memory.
 */
export class Reservations {
  readonly #placed = new Map<ObjectKey, { readonly placed: Placed; readonly generation: number }>();
  readonly #migrating = new Map<ObjectKey, Placed>();
  readonly #byHost = new Map<string, Map<ObjectKey, Resources>>();
  /** Sums that were asked for and still hold. */
  readonly #sums = new Map<string, Resources>();
  /** When each placement was decided that the cache may not show yet (monotonic, milliseconds). */
  readonly #decidedMs = new Map<ObjectKey, number>();
  readonly #clock: Clock;

  constructor(instances: SharedInformer<VirtualMachineInstance>, clock: Clock) {
    this.#clock = clock;
    instances.onChange(({ type, key, object }) => {
      if (type === 'deleted') this.forget(key);
      else if (this.#count(key, object.spec, object.metadata.generation)) this.#decidedMs.delete(key);
    });
  }

  /**
   * Counts a placement from now on, before the cache shows it.
   * @param generation that its instance has with it
   */
  assume(key: ObjectKey, placed: Placed, generation = 1): void {
    this.#count(key, placed, generation);
    this.#decidedMs.set(key, this.#clock.monotonicMs());
  }

  /** The VM (key) that was placed with a Volume (key) a while ago, which the cache does not show yet. Undefined: none. */
  placedWith(volume: ObjectKey): ObjectKey | undefined {
    const { namespace, name } = refOfKey(volume);
    for (const [key, decidedMs] of this.#decidedMs) {
      if (this.#clock.monotonicMs() - decidedMs >= LONGEST_LAG_MS) continue;
      const isOfNamespace = refOfKey(key).namespace === namespace;
      if (isOfNamespace && this.#placed.get(key)?.placed.disks.some((disk) => disk.volumeName === name)) return key;
    }
    return undefined;
  }

  /** Whether an instance was created a moment ago that the cache does not show yet. */
  isOnItsWay(key: ObjectKey): boolean {
    const decidedMs = this.#decidedMs.get(key);
    return decidedMs !== undefined && this.#clock.monotonicMs() - decidedMs < CACHE_LAG_MS;
  }

  /** An older placement than is known is ignored: the cache may lag behind. @returns whether it counts */
  #count(key: ObjectKey, placed: Placed, generation: number): boolean {
    const known = this.#placed.get(key);
    if (known !== undefined) {
      if (known.placed.epoch > placed.epoch) return false;
      if (known.placed.epoch === placed.epoch && known.generation > generation) return false;
      if (known.placed === placed) return true;
      // Of the same generation it says the same: what hangs on it need not be worked out anew for each new status.
      if (known.generation === generation && sameDemand(known.placed, placed)) {
        this.#placed.set(key, { placed, generation });
        if (placed.migration !== undefined) this.#migrating.set(key, placed);
        return true;
      }
    }
    this.#remove(key);
    this.#placed.set(key, { placed, generation });
    for (const host of hostsOf(placed)) {
      const onHost = this.#byHost.get(host) ?? new Map<ObjectKey, Resources>();
      onHost.set(key, placed.reserved);
      this.#byHost.set(host, onHost);
      this.#sums.delete(host);
    }
    if (placed.migration !== undefined) this.#migrating.set(key, placed);
    return true;
  }

  #remove(key: ObjectKey): void {
    const known = this.#placed.get(key);
    if (known === undefined) return;
    this.#placed.delete(key);
    this.#migrating.delete(key);
    for (const host of hostsOf(known.placed)) {
      const onHost = this.#byHost.get(host);
      onHost?.delete(key);
      this.#sums.delete(host);
      if (onHost?.size === 0) this.#byHost.delete(host);
    }
  }

  /** Counts the placement no more: it failed, or its instance is gone. */
  forget(key: ObjectKey): void {
    this.#decidedMs.delete(key);
    this.#remove(key);
  }

  /** The very same object until something changes on the host. */
  onHost(host: string): Resources {
    const known = this.#sums.get(host);
    if (known !== undefined) return known;
    let sum = NO_RESOURCES;
    for (const reserved of this.#byHost.get(host)?.values() ?? []) sum = addResources(sum, reserved);
    this.#sums.set(host, sum);
    return sum;
  }

  /** VMs (key) that count on a host, on their way there or away among them. */
  keysOn(host: string): Iterable<ObjectKey> {
    return this.#byHost.get(host)?.keys() ?? [];
  }

  /** VMs (key) that are being moved, and between which hosts. */
  migrations(): readonly Moving[] {
    return [...this.#migrating].flatMap(([key, { host, migration }]) =>
      migration === undefined
        ? []
        : [{ key, source: host, target: migration.targetHost, isPrepared: migration.order === 'Prepare' }],
    );
  }

  /** The placement of a VM, as the cache shows it or will. Undefined: there is none. */
  placementOf(key: ObjectKey): Placed | undefined {
    return this.#placed.get(key)?.placed;
  }
}

function sameDemand(a: Placed, b: Placed): boolean {
  return (
    a.epoch === b.epoch &&
    a.host === b.host &&
    a.migration?.targetHost === b.migration?.targetHost &&
    a.reserved.cpuCores === b.reserved.cpuCores &&
    a.reserved.memoryBytes === b.reserved.memoryBytes
  );
}

function hostsOf({ host, migration }: Placed): readonly string[] {
  return migration === undefined || migration.targetHost === host ? [host] : [host, migration.targetHost];
}
