import type { GuestFaultReason } from '../../api/guest-fault.ts';
import type { GuestFault, InstanceVMFault } from '../../api/virtual-machine-instance.ts';
import type { ObservedDomain, Situation } from './situation.ts';

/** A guest that has failed while its host is well. */
export interface Fault {
  readonly reason: GuestFaultReason;
  /** What was seen, as part of a sentence. */
  readonly words: string;
}

/** Why nothing is done about guest tools that are silent. */
export type Suppression = 'Migration' | 'MinUptime' | 'RecentIO';

/** What follows from the state of the guest. */
export type GuestVerdict =
  | { readonly verdict: 'Well' }
  /** Its tools are silent for longer than the policy allows, and there is a reason to wait. */
  | { readonly verdict: 'Suppressed'; readonly by: Suppression }
  /** It is reset where it is. `counted`: by a policy, which allows only so many. */
  | { readonly verdict: 'Reboot'; readonly fault: Fault; readonly counted: boolean }
  | { readonly verdict: 'Restart'; readonly fault: Fault }
  /** It has been reset too often; at `untilMs` (Unix time, milliseconds) the policy allows it again. */
  | { readonly verdict: 'GivenUp'; readonly fault: Fault; readonly resets: number; readonly untilMs: number };

const WELL: GuestVerdict = { verdict: 'Well' };

/**
 * Judges the guest of a domain, by the first rule that applies.
 *
 * A panic and a watchdog are certain: the guest, or its hardware, says itself that it has failed, and its domain stands still until
 * something is done, also over restarts of the agent. Silence is a guess, so that everything that speaks for a living guest suppresses it
 * (as in vSphere's VM Monitoring: uptime, and I/O in the last 120 s). A guest that has closed the channel of its tools lives: only its
 * kernel can have closed it.
 */
export function judgeGuest(situation: Situation): GuestVerdict {
  const { instance, domain } = situation;
  if (domain === undefined) return WELL;
  const { vmFault } = instance.spec;
  const certain = certainFault(domain, instance.spec.powerState === 'Paused');
  if (certain !== undefined) return act(situation, vmFault, certain);
  if (vmFault === undefined || !isSilent(domain, vmFault)) return WELL;
  const by = suppressionOf(situation, domain, vmFault);
  if (by !== undefined) return { verdict: 'Suppressed', by };
  const { since = '' } = domain.silence ?? {};
  const quiet =
    vmFault.ioQuietSeconds === 0 ? '' : `, and it has read, written and sent nothing for ${vmFault.ioQuietSeconds} s`;
  return act(situation, vmFault, {
    reason: 'GuestHeartbeatLost',
    words: `its guest tools have not answered since ${since}${quiet}`,
  });
}

function certainFault({ state }: ObservedDomain, isToBePaused: boolean): Fault | undefined {
  if (state.running) return undefined;
  if (state.pausedBy === 'Panic') return { reason: 'GuestPanicked', words: 'its kernel has panicked' };
  // One that is to be paused is: what its watchdog says counts when it is to run again.
  if (state.pausedBy !== 'Watchdog' || isToBePaused) return undefined;
  return { reason: 'GuestWatchdogExpired', words: 'it has not fed its watchdog' };
}

function isSilent({ state, silence }: ObservedDomain, { heartbeatTimeoutSeconds }: InstanceVMFault): boolean {
  return state.running && silence !== undefined && silence.silentForMs >= heartbeatTimeoutSeconds * 1000;
}

function suppressionOf(
  situation: Situation,
  { startedAt, silence }: ObservedDomain,
  { minUptimeSeconds, ioQuietSeconds }: InstanceVMFault,
): Suppression | undefined {
  if (situation.instance.spec.migration !== undefined) return 'Migration';
  const told = situation.instance.status?.guestFault;
  const resetAt = told?.action === 'Reboot' ? told.actedAt.at(-1) : undefined;
  const upSinceMs = Math.max(Date.parse(startedAt), Date.parse(resetAt ?? startedAt));
  // A clock that was set back makes it young again: it is only judged later.
  if (situation.nowMs - upSinceMs < minUptimeSeconds * 1000) return 'MinUptime';
  return (silence?.quietForMs ?? 0) < ioQuietSeconds * 1000 ? 'RecentIO' : undefined;
}

function act(situation: Situation, vmFault: InstanceVMFault | undefined, fault: Fault): GuestVerdict {
  // Without a policy a panic is a crash, and a watchdog does what it is there for.
  if (vmFault === undefined) return { verdict: 'Reboot', fault, counted: false };
  const isAsked = isToRestart(situation.instance.status?.guestFault, situation.instance.spec.epoch);
  if (isAsked && vmFault.action === 'Restart') return { verdict: 'Restart', fault };
  // It was counted, and then could not be done.
  if (situation.isResetOwed) return { verdict: 'Reboot', fault, counted: true };
  const acts = actsWithin(situation, vmFault);
  const oldest = acts.at(-vmFault.maxResets);
  if (acts.length >= vmFault.maxResets && oldest !== undefined) {
    const untilMs = Date.parse(oldest) + vmFault.windowSeconds * 1000;
    return { verdict: 'GivenUp', fault, resets: acts.length, untilMs };
  }
  return vmFault.action === 'Restart' ? { verdict: 'Restart', fault } : { verdict: 'Reboot', fault, counted: true };
}

/** All that is remembered, oldest first; what the host itself has counted includes what it was told of. */
function pastActs({ spec, status }: Situation['instance']): readonly string[] {
  return status?.guestFault?.actedAt ?? spec.vmFault?.actedAt ?? [];
}

/** Those that count now. A clock that was set back forgets none, and one that leaps ahead forgets those before. */
function actsWithin({ instance, nowMs }: Situation, { windowSeconds }: InstanceVMFault): string[] {
  return pastActs(instance)
    .filter((at) => Math.abs(nowMs - Date.parse(at)) < windowSeconds * 1000)
    .toSorted();
}

/** What is done about a fault now, whatever was done before. */
export interface Decision {
  readonly fault: Fault;
  readonly action: GuestFault['action'];
}

/**
 * The last fault, as the status tells it. It is written before a guest is reset, so that no reset goes uncounted; an agent that dies
 * between has counted one too many.
 * @param decided undefined: nothing is decided about the guest
 */
export function guestFaultAfter(situation: Situation, decided: Decision | undefined): GuestFault | undefined {
  const { instance, domain, nowMs } = situation;
  const { vmFault, epoch } = instance.spec;
  const told = instance.status?.guestFault;
  if (decided === undefined || vmFault === undefined) {
    return told !== undefined && isTakenBack(situation, told) ? { ...told, action: 'None' } : told;
  }
  const { fault, action } = decided;
  const startedMs = Date.parse(domain?.startedAt ?? new Date(nowMs).toISOString());
  const isOfThisRun = told?.epoch === epoch && Date.parse(told.at) >= startedMs;
  const isTold = isOfThisRun && told?.action === action && (action === 'Restart' || told.reason === fault.reason);
  if (isTold && (action !== 'Reboot' || situation.isResetOwed)) return told;
  const acts = actsWithin(situation, vmFault);
  const now = new Date(nowMs).toISOString();
  // Where the clock was set back, the fault still comes after the start: it would be a new one at every look.
  const at = new Date(Math.max(nowMs, startedMs)).toISOString();
  return { reason: fault.reason, at, epoch, action, actedAt: action === 'None' ? acts : [...acts, now] };
}

/** Its guest has come back before the operator had begun to move it. */
function isTakenBack({ instance: { spec }, domain }: Situation, told: GuestFault): boolean {
  if (!isToRestart(told, spec.epoch) || spec.powerState === 'Off') return false;
  return domain !== undefined || spec.vmFault?.action !== 'Restart';
}

/** Whether a fault of this placement is to be answered by another one. */
function isToRestart(told: GuestFault | undefined, epoch: number): boolean {
  return told?.action === 'Restart' && told.epoch === epoch;
}
