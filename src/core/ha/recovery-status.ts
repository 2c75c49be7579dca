import type { HAPolicySpec } from '../../api/ha-policy.ts';
import type { FailedStart, Recovery } from '../../api/recovery.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { restartCommand } from '../model/restart-command.ts';
import { explainPlacement, summarizeRefusal } from '../placement/explain.ts';
import type { Placement } from '../placement/place.ts';
import type { PlacementRequest } from '../placement/request.ts';
import { isConfirmedOff } from '../virtual-machine/next-step.ts';
import { type Awaited, awaitedInWords } from './dependencies.ts';
import { shouldRun } from './proof.ts';
import { failedHosts, hasRun, isOfFailover, isTakenBack, nextAttemptAtMs, triedInWords } from './recovery.ts';

/** What decides why a VM of a dead host does not run yet. */
export interface RecoveryInput {
  readonly vm: VirtualMachine;
  readonly instance: VirtualMachineInstance;
  /** Nothing of it can be left on its host, although that has not said so. */
  readonly isProvenOff: boolean;
  /** The policy in effect. Undefined: there is none. */
  readonly policy: HAPolicySpec | undefined;
  /** VMs that it would wait for, counted from the moment that its host was proven to be off. */
  readonly awaited: readonly Awaited[];
  /** Where it could go now; asked only when it waits for a host. Undefined: something that it needs is missing. */
  readonly place: (failed: PlacementRequest['failedHosts']) => Placement | undefined;
  readonly nowMs: number;
}

/** Why a VM of a host that died does not run yet. Undefined: it does, or there is nothing to recover. */
export function recoveryOf(input: RecoveryInput): Recovery | undefined {
  const { vm, instance, isProvenOff, policy } = input;
  const { spec } = instance;
  if (vm.metadata.deletionTimestamp !== undefined || vm.spec.runStrategy === 'Halted') return undefined;
  // What its host has lost is told by `StorageReachable`.
  if (spec.datastoreFault !== undefined && isConfirmedOff(instance)) return undefined;
  if (isTakenBack(spec)) return takenBack(input, spec.failover?.tried ?? []);
  const isAttempt = isOfFailover(spec) && !hasRun(instance, vm);
  const tried = isAttempt ? (spec.failover?.tried ?? []) : [];
  if (isProvenOff && policy?.hostFault.action === 'Restart' && shouldRun(vm, instance)) {
    const why = `nothing of the VM runs on host ${spec.host} any more, which is dead`;
    return waiting(input, { from: spec.host, attempts: tried.length, ...triedOf(tried) }, why);
  }
  if (!isAttempt || spec.powerState === 'Off') return undefined;
  const before = tried.length === 0 ? '' : `; before: ${triedInWords(tried)}`;
  return {
    from: spec.failover?.fromHost ?? '',
    attempts: tried.length + 1,
    reason: 'Starting',
    message: `host ${spec.host} is starting it${before}`,
    ...triedOf(tried),
  };
}

type Known = Pick<Recovery, 'from' | 'attempts' | 'tried'>;

/** A host has failed to start it. */
function takenBack(input: RecoveryInput, tried: FailedStart[]): Recovery {
  const { vm, instance, isProvenOff, policy } = input;
  const { spec } = instance;
  const known: Known = { from: spec.failover?.fromHost ?? '', attempts: tried.length, tried };
  const words = triedInWords(tried);
  if (
    spec.failover?.gaveUp !== undefined ||
    tried.length >= (policy?.restart.maxAttempts ?? Number.POSITIVE_INFINITY)
  ) {
    const message = `every attempt to run the VM elsewhere has failed (HAPolicy, restart.maxAttempts): ${words}. It is tried again when a host joins, comes back or has room for it again, when its spec changes, or at once by: ${restartCommand(vm.metadata)}`;
    return { ...known, reason: 'RestartFailed', message };
  }
  if (!isConfirmedOff(instance) && !isProvenOff) {
    const message = `host ${spec.host} failed to start it, and is to confirm that nothing of it is left there: another host is asked then. Attempts: ${words}`;
    return { ...known, reason: 'TakenBack', message };
  }
  const pausedUntilMs = nextAttemptAtMs(tried, input.nowMs);
  if (input.nowMs < pausedUntilMs) {
    const message = `the next host is asked at ${new Date(pausedUntilMs).toISOString()}. Attempts: ${words}`;
    return { ...known, reason: 'Pausing', message };
  }
  return waiting(input, known, `attempts: ${words}`);
}

/** It is to be given a host. */
function waiting(input: RecoveryInput, known: Known, why: string): Recovery {
  const { awaited, place, nowMs } = input;
  if (awaited.length > 0)
    return { ...known, reason: 'DependencyNotReady', message: `${awaitedInWords(awaited)} (${why})` };
  const placement = place(failedHosts(known.tried ?? [], nowMs));
  if (placement === undefined)
    return { ...known, reason: 'NoHostFits', message: `something that it needs is missing (${why})` };
  if (placement.ok) return { ...known, reason: 'Waiting', message: `it is given a host in its turn (${why})` };
  const lines = explainPlacement(placement);
  return { ...known, reason: 'NoHostFits', message: `${summarizeRefusal(placement)} (${why})\n${lines}` };
}

function triedOf(tried: FailedStart[]): Pick<Recovery, 'tried'> {
  return tried.length === 0 ? {} : { tried };
}
