import type { HAPolicySpec } from '../../api/ha-policy.ts';
import type { Host } from '../../api/host.ts';
import type { DatastoreLossReason } from '../../api/host-storage.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { isStillToCome } from '../model/clock.ts';
import { isSilent } from '../model/read-host.ts';
import { isConfirmedOff } from '../virtual-machine/next-step.ts';
import type { PolicyChoice } from './policy.ts';

/** What decides what becomes of a VM whose host may have lost a datastore of its disks. */
export interface DatastoreFaultInput {
  readonly vm: VirtualMachine;
  /** Datastores of its disks, sorted. */
  readonly datastores: readonly string[];
  /** The VM's host. Absent: its object is gone. */
  readonly host: Host | undefined;
  /** All hosts that may have lost the same datastore. */
  readonly hosts: readonly Host[];
  readonly choice: PolicyChoice;
  /** Unix time, milliseconds. */
  readonly nowMs: number;
}

/** A datastore that a VM's host has lost, and what is done about it. */
export interface DatastoreFault {
  readonly datastore: string;
  readonly reason: DatastoreLossReason;
  /** When the host noticed it (RFC 3339, by its clock). */
  readonly since: string;
  /** From when on the VM is moved (Unix time, milliseconds). Absent: it waits for the datastore; `waits` says why. */
  readonly moveAtMs?: number;
  readonly waits?: 'ClusterHADisabled' | 'HADisabled' | 'PolicyNone';
}

/** The fault that is acted upon first. Undefined: the host sees all of the VM's datastores, or has told of no loss. */
export function datastoreFaultOf(input: DatastoreFaultInput): DatastoreFault | undefined {
  const { datastores, host, hosts } = input;
  const policy = policyFor(input);
  const faults = (host?.status?.datastores ?? [])
    .flatMap(({ name, loss }) => (loss !== undefined && datastores.includes(name) ? [{ name, ...loss }] : []))
    .map(
      ({ name, reason, since }): DatastoreFault => ({
        datastore: name,
        reason,
        since,
        ...(typeof policy === 'string'
          ? { waits: policy }
          : { moveAtMs: moveAtMs(name, reason, noticedMs(since, input), hosts, input.nowMs, policy) }),
      }),
    )
    .toSorted((a, b) => (a.moveAtMs ?? 0) - (b.moveAtMs ?? 0) || (a.datastore < b.datastore ? -1 : 1));
  return faults[0];
}

/**
 * How long the others have to notice that they have lost it, too, before a host that has told nothing is believed to see it: a look at a
 * datastore that no VM of theirs uses (10 s), and the way of the report. Else a VM would be stopped for a datastore that has failed
 * altogether, and whose guests only need to wait.
 */
export const NOTICED_BY_ALL_MS = 15_000;

/** When its host has lost it. A host whose clock is ahead names a time that is still to come: then it is the one at which the VM's owner was told. */
function noticedMs(since: string, { vm, nowMs }: DatastoreFaultInput): number {
  const sinceMs = Date.parse(since);
  if (sinceMs <= nowMs) return sinceMs;
  const told = vm.status?.conditions.find(({ type, status }) => type === 'StorageReachable' && status === 'False');
  return Math.min(sinceMs, Date.parse(told?.lastTransitionTime ?? '') || nowMs);
}

/**
 * vSphere's order (VMCP): a permanent loss without waiting, all paths down 140 s later (Misc.APDTimeout), and the policy's delay; none
 * before all hosts had the time to notice.
 */
function moveAtMs(
  datastore: string,
  reason: DatastoreLossReason,
  sinceMs: number,
  hosts: readonly Host[],
  nowMs: number,
  { delaySeconds, allPathsDownSeconds }: HAPolicySpec['datastoreFault'],
): number {
  const elsewhere = hosts
    .flatMap(({ status }) => status?.datastores.find(({ name }) => name === datastore)?.loss?.since ?? [])
    .map((each) => Date.parse(each))
    .filter((each) => !isStillToCome(each, nowMs));
  const waitMs = (delaySeconds + (reason === 'AllPathsDown' ? allPathsDownSeconds : 0)) * 1000;
  return Math.max(sinceMs + waitMs, Math.max(sinceMs, ...elsewhere) + NOTICED_BY_ALL_MS);
}

function policyFor({
  vm,
  choice,
}: Pick<DatastoreFaultInput, 'vm' | 'choice'>): HAPolicySpec['datastoreFault'] | NonNullable<DatastoreFault['waits']> {
  if (!choice.ok || !choice.enabled) return 'ClusterHADisabled';
  if (!vm.spec.ha.enabled) return 'HADisabled';
  return choice.policy.datastoreFault.action === 'Restart' ? choice.policy.datastoreFault : 'PolicyNone';
}

/** What is done about a VM whose host has lost a datastore of it. */
export type DatastoreFaultStep =
  | { readonly step: 'Nothing' }
  | { readonly step: 'WaitUntil'; readonly atMs: number }
  /** It is stopped on its host, provided that another one can take it. */
  | { readonly step: 'Stop'; readonly fault: DatastoreFault };

/**
 * Whether the VM is to be stopped on its host now. A host that is silent could not confirm that it has: what becomes of its VMs is
 * decided by what is done about its silence.
 */
export function datastoreFaultStep(
  fault: DatastoreFault | undefined,
  vm: VirtualMachine,
  instance: VirtualMachineInstance,
  host: Host,
  nowMs: number,
): DatastoreFaultStep {
  if (fault?.moveAtMs === undefined || isSilent(host) || !isToRun(vm, instance)) return { step: 'Nothing' };
  return nowMs < fault.moveAtMs ? { step: 'WaitUntil', atMs: fault.moveAtMs } : { step: 'Stop', fault };
}

/** Nothing else is under way with it that ends in its being off, or elsewhere. */
function isToRun(vm: VirtualMachine, { metadata, spec, status }: VirtualMachineInstance): boolean {
  if (vm.metadata.uid !== spec.virtualMachineUID || vm.spec.runStrategy === 'Halted') return false;
  if (vm.metadata.deletionTimestamp !== undefined || metadata.deletionTimestamp !== undefined) return false;
  if (spec.powerState === 'Off' || spec.migration !== undefined) return false;
  // A guest that switched itself off.
  return !(status?.phase === 'Off' && status.observedEpoch === spec.epoch);
}

/** Datastores of an instance's disks, sorted. @param datastoreOf by name of the Volume; undefined: it is gone */
export function datastoresOf(
  { spec }: VirtualMachineInstance,
  datastoreOf: (volumeName: string) => string | undefined,
): string[] {
  return [...new Set(spec.disks.flatMap(({ volumeName }) => datastoreOf(volumeName) ?? []))].toSorted();
}

/** A host that has not confirmed by then that a domain is off, cannot end it: libvirt gives up on a process after some 30 s (SIGTERM, SIGKILL). */
export const NOT_STOPPED_AFTER_MS = 60_000;

/** What its owner is told of a VM whose host has lost a datastore. */
export interface DatastoreFaultReport {
  readonly reason: DatastoreLossReason | 'BeingMoved' | 'AwaitsHost' | 'NotStopped' | 'DatastoreFailed' | 'NoHostFits';
  readonly message: string;
  /** When it says something else although nothing has happened (Unix time, milliseconds). Absent: never. */
  readonly untilMs?: number;
}

/** What other hosts of its Cluster could do for it. */
export interface Elsewhere {
  /** Whether one of them sees the lost datastore. */
  readonly isSeen: boolean;
  /** Why none of them can run the VM, whatever room they have. Undefined: one could. */
  readonly refusal: string | undefined;
}

export function reportOf(
  fault: DatastoreFault,
  instance: VirtualMachineInstance,
  { isSeen, refusal }: Elsewhere,
  nowMs: number,
): DatastoreFaultReport {
  const { host, datastoreFault: stop } = instance.spec;
  const { datastore, reason, since, moveAtMs } = fault;
  const how = reason === 'PermanentlyLost' ? 'for good' : 'as far as is known for a time: it does not answer';
  const what = `host ${host} has lost Datastore ${datastore} (${how}, since ${since})`;
  if (stop !== undefined && isConfirmedOff(instance)) {
    const message = `${what}, and has stopped the VM, which is started on the first other host that has room for it, or here when the datastore is back`;
    return { reason: 'AwaitsHost', message };
  }
  if (stop !== undefined) return stopping(what, host, stop.decidedAt, nowMs);
  if (!isSeen) {
    const message = `${what}, and no other host of its Cluster sees it: it is the datastore that has failed, and to move the VM would help nothing. Bring the datastore back; the guest goes on by itself then`;
    return { reason: 'DatastoreFailed', message };
  }
  if (moveAtMs !== undefined && refusal !== undefined) {
    const message = `${what}, and ${refusal}. The VM is moved as soon as one can; if the datastore is back before, the guest goes on`;
    return { reason: 'NoHostFits', message };
  }
  if (moveAtMs !== undefined) {
    const at = new Date(moveAtMs).toISOString();
    const message = `${what}. The VM is stopped there and started on another host from ${at} on, as soon as one has room for it; if the datastore is back before, the guest goes on`;
    return { reason, message };
  }
  return { reason, message: `${what}, and the VM waits for it: ${WAITS[fault.waits ?? 'PolicyNone']}` };
}

function stopping(what: string, host: string, decidedAt: string, nowMs: number): DatastoreFaultReport {
  const untilMs = Date.parse(decidedAt) + NOT_STOPPED_AFTER_MS;
  if (nowMs < untilMs) {
    return { reason: 'BeingMoved', message: `${what}: the VM is being stopped there to be started elsewhere`, untilMs };
  }
  const message = `${what}, was told at ${decidedAt} to stop the VM, and has not confirmed that it has: its QEMU is likely to hang in the lost storage, where nothing can kill it. The VM is started nowhere else before that. Bring the datastore back, or move what else runs on ${host} and reset it: after its boot, or once it is proven to be off, the VM is started elsewhere`;
  return { reason: 'NotStopped', message };
}

const WAITS: Readonly<Record<NonNullable<DatastoreFault['waits']>, string>> = {
  ClusterHADisabled: 'high availability of its Cluster is off (spec.ha.enabled)',
  HADisabled: 'spec.ha.enabled of the VM is false',
  PolicyNone: 'the HAPolicy does nothing about lost datastores (datastoreFault.action None)',
};

export function hasLostDatastore({ status }: Host): boolean {
  return status?.datastores.some(({ loss }) => loss !== undefined) ?? false;
}
