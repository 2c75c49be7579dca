import type { LabelSelector } from '../../api/common/selector.ts';
import type { VirtualMachineSpec } from '../../api/virtual-machine.ts';
import type { Resources } from '../model/host.ts';

/** What a VM asks of a host. */
export interface PlacementRequest {
  /** `namespace/name`. */
  readonly virtualMachine: string;
  readonly vcpus: number;
  /** What is counted against the host; memory with its overhead. */
  readonly reserved: Resources;
  readonly hostSelector: LabelSelector | undefined;
  /** CPU model (libvirt's name) that the guest is to see. Absent: whatever the host has. */
  readonly cpuModel: string | undefined;
  /** CPU features (libvirt's names) that the guest has seen and cannot do without. Absent: it has seen none yet. */
  readonly cpuFeatures: readonly string[] | undefined;
  /** Host devices to pass through, by name. */
  readonly hostDevices: readonly string[];
  /** Datastores of its disks, by name. */
  readonly datastores: readonly string[];
  /** VirtualSwitches of its NICs, by name. */
  readonly switches: readonly string[];
  /** Hosts that hold the data of disks on datastores that are not shared. */
  readonly diskHosts: readonly { readonly volumeName: string; readonly host: string }[];
  /** The one host that may still run a copy of it, so that no other may be chosen. Absent: it runs nowhere. */
  readonly onlyHost: string | undefined;
  /** Host that it is to leave: it runs there, and counts there already. Absent: it is not moved. */
  readonly leaves: string | undefined;
  /** Hosts that it was moved away from a short while ago. A move back would undo what was decided. */
  readonly recentHosts: ReadonlySet<string>;
  /** Hosts that have failed to start it, and are not asked again before a time (Unix, milliseconds). */
  readonly failedHosts: ReadonlyMap<string, { readonly reason: string; readonly untilMs: number }>;
  /** How urgent it is when its host dies. Absent: nobody runs it elsewhere then. */
  readonly restartPriority: VirtualMachineSpec['ha']['restartPriority'] | undefined;
  /** It is moved for no other reason than to empty its host, which may wait. */
  readonly isEvacuation: boolean;
}
