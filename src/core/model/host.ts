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

export function subtractResources(a: Resources, b: Resources): Resources {
  return { cpuCores: a.cpuCores - b.cpuCores, memoryBytes: a.memoryBytes - b.memoryBytes };
}

/** One NUMA cell of a host. */
export interface NumaCell {
  /** Hardware threads. */
  readonly threads: number;
  readonly memoryBytes: number;
}

/** A host as decisions see it. Never changed: another state is another object. */
export interface HostModel {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether it can run VMs now, and if not why. */
  readonly ready: Verdict;
  /** An administrator wants it empty. */
  readonly inMaintenance: boolean;
  /** Hardware threads: the most vCPUs that one VM can have there. */
  readonly threads: number;
  /** Empty: the host has not told. */
  readonly numaCells: readonly NumaCell[];
  /** What VMs can have: the capacity without what the host keeps for itself. */
  readonly allocatable: Resources;
  /** What VMs that are placed there have reserved. */
  readonly reserved: Resources;
  /** CPU models (libvirt's names) that the host can present to a guest. */
  readonly cpuModels: ReadonlySet<string>;
  /** CPU features (libvirt's names) that it can give to a guest. Undefined: it has not told. */
  readonly cpuFeatures: ReadonlySet<string> | undefined;
  /** What it lacks, by CPU model that it cannot present; a model is absent where that is not known. */
  readonly missingCpuFeatures: ReadonlyMap<string, readonly string[]>;
  /** Host devices that are free to be passed through, by name. */
  readonly hostDevices: ReadonlySet<string>;
  /** Datastores that it can use, by name. */
  readonly datastores: ReadonlySet<string>;
  /** VirtualSwitches that NICs can be plugged into there, by name. */
  readonly switches: ReadonlySet<string>;
}
