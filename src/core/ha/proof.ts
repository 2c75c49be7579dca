import type { Host } from '../../api/host.ts';
import type { ProofMethod } from '../../api/host-availability.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { isConfirmedOff } from '../virtual-machine/next-step.ts';

/** Why nothing of a VM's placement runs on its host, nor ever will. */
export interface Proof {
  readonly method: ProofMethod | 'NeverStarted' | 'HostConfirmed';
  /** Boot that is over. Absent: the host had not begun to start it. */
  readonly bootID?: string;
  /** RFC 3339. */
  readonly detectedAt: string;
  /** RFC 3339. Absent: nothing had to be proven. */
  readonly fencedAt?: string;
  /**
   * The VM came by a migration, and its host had not said yet in which boot: it counts only if the power of the host
   * is read as off once more, after the instance was read.
   */
  readonly needsReading?: true;
}

/**
 * The proof that a placement is over: its host has confirmed it, or it holds without its word. Undefined: there is none, and silence is not
 * one.
 *
 * It holds together with two other rules. A host starts a VM only in the boot that this very placement names, or after it has written
 * its boot into the status of it; and whoever acts on the proof changes the instance only if nobody has changed it since it was read. So a host
 * that is back, or was never dead, either writes first, and the proof is not acted upon, or it finds another placement and starts nothing.
 */
export function proofFor(instance: VirtualMachineInstance, host: Host | undefined): Proof | undefined {
  const { datastoreFault, migration } = instance.spec;
  // It may run at the target: that is settled first (core/migration).
  if (migration !== undefined) return undefined;
  if (datastoreFault !== undefined && isConfirmedOff(instance)) {
    const { lastStop, bootID } = instance.status ?? {};
    return {
      method: 'HostConfirmed',
      ...(bootID !== undefined && { bootID }),
      detectedAt: datastoreFault.detectedAt,
      ...(lastStop && { fencedAt: lastStop.at }),
    };
  }
  return proofOfHost(instance, host);
}

/** Whether such a proof holds as it is, with nothing to be read before. */
export function isProvenOff(instance: VirtualMachineInstance, host: Host | undefined): boolean {
  const proof = proofFor(instance, host);
  return proof !== undefined && proof.needsReading !== true;
}

/** The proof of its host alone: a VM that is being moved may run at the target all the same. */
export function proofOfHost(instance: VirtualMachineInstance, host: Host | undefined): Proof | undefined {
  const availability = host?.status?.availability;
  if (host === undefined || availability === undefined) return undefined;
  const { state, detectedAt, fence } = availability;
  const claim = claimOf(instance);
  if (claim.kind === 'None') {
    // There is no hurry to take it from a host that may go on in a moment.
    const isGivenUp = state === 'Dead' || state === 'Fencing' || state === 'Fenced' || state === 'Standby';
    return isGivenUp && detectedAt !== undefined ? { method: 'NeverStarted', detectedAt } : undefined;
  }
  if (fence?.confirmedAt === undefined) return undefined;
  const bootID = claim.kind === 'Boot' ? claim.bootID : host.status?.bootID;
  if (bootID === undefined || fence.bootID !== bootID) return undefined;
  const { method, confirmedAt: fencedAt } = fence;
  const proof = { method, bootID, detectedAt: detectedAt ?? fence.startedAt, fencedAt };
  // An administrator has looked at the host itself, whatever it had booted.
  return claim.kind === 'Boot' || method === 'Administrator' ? proof : { ...proof, needsReading: true };
}

/** What the host of a placement has said that it may run. */
type Claim =
  | { readonly kind: 'None' }
  | { readonly kind: 'Boot'; readonly bootID: string }
  /** It came by a migration, in a boot of its host that nobody has told yet. */
  | { readonly kind: 'Arrived' };

function claimOf({ spec, status }: VirtualMachineInstance): Claim {
  if (status?.observedEpoch === spec.epoch && status.host === spec.host) {
    return status.bootID === undefined ? { kind: 'Arrived' } : { kind: 'Boot', bootID: status.bootID };
  }
  if (spec.bootID !== undefined) return { kind: 'Boot', bootID: spec.bootID };
  // Anything but the clear case of a placement that a decision has made is taken for a running one.
  return { kind: status === undefined || spec.failover?.epoch === spec.epoch ? 'None' : 'Arrived' };
}

/** Boot in which its host runs it, or may. Undefined: there is none, or nobody has told yet. */
export function claimedBootOf(instance: VirtualMachineInstance): string | undefined {
  const claim = claimOf(instance);
  return claim.kind === 'Boot' ? claim.bootID : undefined;
}

/** Whether the host of the placement has begun it, or may have: nobody else may run it without proof. */
export function needsProof(instance: VirtualMachineInstance): boolean {
  return claimOf(instance).kind !== 'None' && !isConfirmedOff(instance);
}

/** Whether the VM is to run, and on another host if need be. */
export function shouldRun(
  vm: VirtualMachine | undefined,
  { metadata, spec, status }: VirtualMachineInstance,
): vm is VirtualMachine {
  if (vm === undefined || vm.metadata.uid !== spec.virtualMachineUID) return false;
  if (vm.metadata.deletionTimestamp !== undefined || metadata.deletionTimestamp !== undefined) return false;
  if (!vm.spec.ha.enabled || vm.spec.runStrategy === 'Halted') return false;
  // It was stopped only to be started elsewhere.
  if (spec.datastoreFault !== undefined) return true;
  if (spec.powerState === 'Off') return false;
  // A guest that switched itself off was off before its host was; one that an isolated host has ended was not.
  return !(status?.phase === 'Off' && status.observedEpoch === spec.epoch && status.reason !== 'HostIsolated');
}
