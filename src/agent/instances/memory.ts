import type { VirtualMachineInstanceStatus } from '../../api/virtual-machine-instance.ts';
import type { Refusal, RunEnd, ShutdownUnderWay } from '../../core/instance/index.ts';
import type { ObjectKey } from '../../kube/index.ts';

/** Before the next try of a start that was refused, at most. */
export const LONGEST_RETRY_MS = 60_000;

/** What the agent knows of one VM besides its intent, its domain and its records. Lost with the agent, without harm. */
export interface InstanceMemory {
  readonly virtualMachineUID: string;
  /** How the run that began at `of` ended. */
  end?: { readonly of: string; readonly end: RunEnd };
  /** The agent itself asked for the end of the run under way. */
  stopAsked: boolean;
  shutdown?: ShutdownUnderWay;
  refusal?: Refusal;
  /** Starts refused in a row. */
  refusals: number;
  /** A reset because of the guest is written down, and not done yet. */
  isResetOwed?: true;
  /** When a domain that an I/O error paused is resumed next (Unix time, milliseconds), and how long that is held back. */
  resume?: {
    readonly atMs: number;
    readonly intervalMs: number;
    /** Its datastore is lost: it is resumed when that is back. Absent: it is not known to be. */
    readonly storageIsLost?: true;
  };
  /** The status that was written last, which the cache may not show yet, and of which instance (uid). */
  written?: { readonly uid: string; readonly status: VirtualMachineInstanceStatus };
  /** A write of the status was not answered well: whether it was carried out is not known. */
  isWriteInDoubt?: boolean;
  /** A seed may lie on the host. */
  hasSeed: boolean;
}

/** The memory of each VM, by key of its instance. Another VM of the same name begins with a fresh one. */
export class Memories {
  readonly #byKey = new Map<ObjectKey, InstanceMemory>();

  of(key: ObjectKey, virtualMachineUID: string): InstanceMemory {
    const known = this.#byKey.get(key);
    if (known?.virtualMachineUID === virtualMachineUID) return known;
    // An agent before this one may have left a seed: nobody knows until it has been removed once.
    const fresh: InstanceMemory = { virtualMachineUID, stopAsked: false, refusals: 0, hasSeed: true };
    this.#byKey.set(key, fresh);
    return fresh;
  }

  find(key: ObjectKey): InstanceMemory | undefined {
    return this.#byKey.get(key);
  }

  forget(key: ObjectKey): void {
    this.#byKey.delete(key);
  }

  /** How many VMs there are in each phase. */
  phases(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { written } of this.#byKey.values()) {
      const phase = written?.status.phase;
      if (phase !== undefined) counts.set(phase, (counts.get(phase) ?? 0) + 1);
    }
    return counts;
  }
}
