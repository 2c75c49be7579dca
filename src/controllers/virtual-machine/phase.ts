import type { Recovery } from '../../api/recovery.ts';
import type { VirtualMachine, VirtualMachineStatus } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { DatastoreFaultReport } from '../../core/ha/datastore-fault.ts';
import type { Verdict } from '../../core/model/verdict.ts';
import { isConfirmedOff, type Step } from '../../core/virtual-machine/next-step.ts';
import type { BrokenRule } from './broken-rules.ts';

export type Phase = NonNullable<VirtualMachineStatus['phase']>;

/** What a status is made from; nothing of the status before but what only it can know. */
export interface StatusInput {
  readonly vm: VirtualMachine;
  readonly instance: VirtualMachineInstance | undefined;
  readonly step: Step;
  /** Whether it can be moved to some other host while it runs. Asked only when it does. */
  readonly migratable: () => Verdict;
  /** Whether it would run elsewhere if its host died. Asked only when it is on a host. */
  readonly protectedFromHostFault: () => Verdict;
  /** Why it does not run yet although its host has died. Absent: no recovery is under way. */
  readonly recovery: Recovery | undefined;
  /** What is to be said of the VMs that it depends on. Absent: it depends on none. */
  readonly dependencies: Verdict | undefined;
  /** What its host has lost of its datastores, and what is done about it. Undefined: nothing. */
  readonly datastoreFault: DatastoreFaultReport | undefined;
  /** Rules that are not kept by where it is. */
  readonly brokenRules: readonly BrokenRule[];
  /** Why the host's last word on the VM says nothing about now. Absent: it does. */
  readonly outOfDate: string | undefined;
  readonly now: Date;
}

/** What the agent says of the newest placement; what it said of an older one is history. */
export function agentStatus(instance: VirtualMachineInstance | undefined) {
  if (instance === undefined) return undefined;
  return instance.status?.observedEpoch === instance.spec.epoch || isHandedOver(instance) ? instance.status : undefined;
}

/** Between two placements of a migration the VM runs on, and only who speaks of it changes. */
function isHandedOver({ spec, status }: VirtualMachineInstance): boolean {
  return (
    status?.migration !== undefined && status.migration.phase !== 'Unclear' && status.observedEpoch === spec.epoch - 1
  );
}

export function phaseOf({ vm, instance, outOfDate, recovery }: StatusInput): Phase {
  if (recovery !== undefined && recovery.reason !== 'Starting') return RECOVERING[recovery.reason];
  if (instance === undefined) return vm.spec.runStrategy === 'Halted' ? 'Halted' : 'Pending';
  if (outOfDate !== undefined) return 'Unknown';
  const { phase, reason } = agentStatus(instance) ?? {};
  if (instance.spec.powerState === 'Off') {
    if (!isConfirmedOff(instance)) return 'Stopping';
    // Off only to be started elsewhere.
    return instance.spec.datastoreFault === undefined || vm.spec.runStrategy === 'Halted' ? 'Halted' : 'Pending';
  }
  if (phase === 'Running' && isMigrating(instance)) return 'Migrating';
  if (phase === 'Off')
    return instance.spec.restartPolicy === 'OnFailure' || reason === 'HostFailed' ? 'Halted' : 'Starting';
  return phase ?? 'Starting';
}

/** The phase of a VM that waits to run elsewhere: nothing of it runs, but where a host is still to confirm that. */
const RECOVERING = {
  Waiting: 'Pending',
  DependencyNotReady: 'Pending',
  NoHostFits: 'Pending',
  Pausing: 'Pending',
  TakenBack: 'Stopping',
  RestartFailed: 'Failed',
} as const satisfies Record<Exclude<Recovery['reason'], 'Starting'>, Phase>;

/** From the moment that its memory is copied until its new host has taken it over. */
function isMigrating({ spec, status }: VirtualMachineInstance): boolean {
  return (
    status?.migration?.phase === 'Moved' || (spec.migration !== undefined && status?.migration?.phase === 'Running')
  );
}
