import type { DatastoreLossReason } from '../../../src/api/host-storage.ts';

/** How a host has lost a datastore. */
export interface DatastoreFaultOnHost {
  readonly reason: DatastoreLossReason;
  /** QEMU hangs in it, and cannot be killed. */
  readonly holdsQemu: boolean;
}

const ACCESS_MS = 5;

/** A shared directory as its hosts see it: locks of QEMU on images, small files such as heartbeats. */
export class SimulatedDatastore {
  readonly name: string;
  readonly path: string;
  readonly shared: boolean;
  /** Whether a lock that one host holds keeps others out. Storage without working locks exists, and says nothing. */
  readonly locks: boolean;
  readonly #lostOn = new Map<string, DatastoreFaultOnHost>();
  readonly #delayMsOn = new Map<string, number>();
  readonly #holders = new Map<string, object>();
  readonly #files = new Map<string, string>();

  constructor(options: {
    readonly name: string;
    readonly path: string;
    readonly shared: boolean;
    readonly locks: boolean;
  }) {
    this.name = options.name;
    this.path = options.path;
    this.shared = options.shared;
    this.locks = options.locks;
  }

  /** What the directory calls itself, where it is shared. */
  get id(): string {
    return `id-of-${this.name}`;
  }

  isAvailableOn(host: string): boolean {
    return !this.#lostOn.has(host);
  }

  /** How the host has lost it. Undefined: it has not. */
  lossOn(host: string): DatastoreFaultOnHost | undefined {
    return this.#lostOn.get(host);
  }

  lose(host: string, fault: DatastoreFaultOnHost): void {
    this.#lostOn.set(host, fault);
  }

  bringBack(host: string): void {
    this.#lostOn.delete(host);
  }

  /** How long it takes a host to read or write a small file, in milliseconds. */
  accessMs(host: string): number {
    return ACCESS_MS + (this.#delayMsOn.get(host) ?? 0);
  }

  /** @param delayMs added to each access of the host */
  setDelay(host: string, delayMs: number): void {
    this.#delayMsOn.set(host, delayMs);
  }

  holds(path: string): boolean {
    return path.startsWith(`${this.path}/`);
  }

  /** Takes QEMU's lock of an image for writing. @returns whether it was free, or the holder's own */
  lock(path: string, holder: object): boolean {
    if (!this.locks) return true;
    const before = this.#holders.get(path);
    if (before !== undefined && before !== holder) return false;
    this.#holders.set(path, holder);
    return true;
  }

  /** Lets go of all that the holder has: its process has ended, or hands over. */
  unlock(holder: object): void {
    for (const [path, other] of [...this.#holders]) if (other === holder) this.#holders.delete(path);
  }

  /** A small file, as a host reads it. Undefined: there is none. @throws Error when the host does not see the directory */
  read(host: string, path: string): string | undefined {
    this.#check(host);
    return this.#files.get(path);
  }

  write(host: string, path: string, content: string): void {
    this.#check(host);
    this.#files.set(path, content);
  }

  /** Paths of small files that begin so, in ascending order. */
  names(host: string, prefix: string): string[] {
    this.#check(host);
    return [...this.#files.keys()].filter((path) => path.startsWith(prefix)).sort();
  }

  #check(host: string): void {
    if (!this.isAvailableOn(host)) throw new Error(`${this.path}: input/output error on ${host}`);
  }
}
