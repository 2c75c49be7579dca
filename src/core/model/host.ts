import type { Verdict } from './verdict.ts';

/** CPU and memory, as capacity, as a reservation or as a rest. */
export interface Resources {
  readonly cpuCores: number;
  readonly memoryBytes: number;
}

export const NO_RESOURCES: Resources = { cpuCores: 0, memoryBytes: 0 };

export function addResources(a: Resources, b: Resources): Resources {
  return { cpuCores: a.cpuCores + b.cpuCores, memoryBytes: a.memoryBytes + b.memoryBytes };
}

/** A host as decisions see it. */
export interface HostModel {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether it can run VMs now, and if not why. */
  readonly ready: Verdict;
  /** Hardware threads: the most vCPUs that one VM can have there. */
  readonly threads: number;
  /** What VMs can have: the capacity without what the host keeps for itself. */
  readonly allocatable: Resources;
  /** What VMs that are placed there have reserved. */
  readonly reserved: Resources;
  /** Datastores that it can use, by name. */
  readonly datastores: ReadonlySet<string>;
  /** VirtualSwitches that NICs can be plugged into there, by name. */
  readonly switches: ReadonlySet<string>;
}
