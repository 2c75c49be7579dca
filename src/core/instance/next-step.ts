import { endOfOwnWait } from '../model/clock.ts';
import { type Fault, judgeGuest } from './guest-fault.ts';
import { type MigrationStep, migrationStep } from './migration.ts';
import { restartDelaySeconds } from './restart-delay.ts';
import type { ObservedDomain, Refusal, Run, Situation, Stop } from './situation.ts';

/** What is done next for one VM. Each may be done again, and the agent may die before and after it. */
export type Step =
  | { readonly step: 'Adopt'; readonly why: string }
  /** Writes into the status, before anything is started, that this boot of this host may run it from now on. */
  | { readonly step: 'Claim'; readonly why: string }
  | { readonly step: 'Start'; readonly run: Run; readonly why: string }
  | { readonly step: 'Suspend'; readonly why: string }
  | { readonly step: 'Resume'; readonly why: string }
  /** Presses the ACPI power button. */
  | { readonly step: 'Shutdown'; readonly powerOffAtMs: number; readonly why: string }
  | { readonly step: 'Destroy'; readonly why: string }
  /** Resets the guest in its domain, and lets it run. */
  | { readonly step: 'Reset'; readonly fault: Fault; readonly counted: boolean; readonly why: string }
  /** Ends a domain whose guest has panicked: from there on it has crashed. */
  | { readonly step: 'EndCrashed'; readonly fault: Fault; readonly counted: boolean; readonly why: string }
  | Extract<MigrationStep, { readonly step: 'StartMigration' | 'AbortMigration' | 'DropCopy' }>
  | Rest;

/** Nothing is done until something changes, or until `untilMs` (Unix time, milliseconds) where one is given. */
export type Rest =
  | { readonly step: 'Settled' }
  | { readonly step: 'AwaitStart' }
  | { readonly step: 'AwaitMigration' }
  | { readonly step: 'AwaitShutdown'; readonly untilMs: number; readonly purpose: 'PowerOff' | 'Restart' }
  | { readonly step: 'AwaitStorage'; readonly untilMs: number }
  | { readonly step: 'AwaitRestart'; readonly untilMs: number; readonly stop: Stop; readonly run: Run }
  /** The guest has failed, and waits until the operator ends it here, or until it may be reset again. */
  | { readonly step: 'GuestFailed'; readonly fault: Fault; readonly action: 'Restart' }
  | {
      readonly step: 'GuestFailed';
      readonly fault: Fault;
      readonly action: 'None';
      readonly resets: number;
      readonly untilMs: number;
    }
  | { readonly step: 'StayOff'; readonly reason: 'PoweredOff' | 'GuestShutdown' | 'HostIsolated' | 'HostFailed' }
  | { readonly step: 'RefuseEpoch' }
  | { readonly step: 'Blocked'; readonly reason: string; readonly message: string }
  | { readonly step: 'Refused'; readonly refusal: Refusal; readonly untilMs?: number };

/** How long a domain that an I/O error paused waits before its requests are tried again. */
const RESUME_INTERVAL_MS = 10_000;

/** Decides by the first rule that applies. */
export function nextStep(situation: Situation): Step {
  const { instance, newestEpoch, domain } = situation;
  if (instance.spec.epoch < Math.max(newestEpoch, domain?.epoch ?? 0)) return { step: 'RefuseEpoch' };
  const step = migrationStep(situation);
  if (step.step !== 'GoOn') return step;
  if (domain === undefined) return withoutDomain(situation);
  if (!domain.state.running && domain.state.pausedBy === 'Starting') return { step: 'AwaitStart' };
  if (domain.epoch < instance.spec.epoch) {
    return { step: 'Adopt', why: `runs for epoch ${domain.epoch}; the intent is of epoch ${instance.spec.epoch}` };
  }
  if (instance.spec.powerState === 'Off') return stop(situation, domain, 'PowerOff');
  if (isRestartOwed(situation, domain.restartedAt)) return stop(situation, domain, 'Restart');
  return guestStep(situation, domain) ?? follow(situation, domain);
}

/** What is done about a guest that has failed. Undefined: it has not, or is given time. */
function guestStep(situation: Situation, { state }: ObservedDomain): Step | undefined {
  const verdict = judgeGuest(situation);
  switch (verdict.verdict) {
    case 'Well':
    case 'Suppressed':
      return undefined;
    case 'Reboot': {
      const { fault, counted } = verdict;
      const hasPanicked = !state.running && state.pausedBy === 'Panic';
      return { step: hasPanicked ? 'EndCrashed' : 'Reset', fault, counted, why: fault.words };
    }
    case 'Restart':
      return { step: 'GuestFailed', fault: verdict.fault, action: 'Restart' };
    case 'GivenUp': {
      const { fault, resets, untilMs } = verdict;
      return { step: 'GuestFailed', fault, action: 'None', resets, untilMs };
    }
  }
}

/** A request that was taken back asks for nothing. */
function isRestartOwed({ instance }: Situation, carriedOut: string): boolean {
  return instance.spec.restartedAt !== '' && instance.spec.restartedAt !== carriedOut;
}

/** Towards a domain that is gone: by the guest itself as long as its grace lasts, then without it. */
function stop(
  { instance, nowMs, shutdown, isIsolated }: Situation,
  domain: ObservedDomain,
  purpose: 'PowerOff' | 'Restart',
): Step {
  const { gracePeriodSeconds, restartedAt } = instance.spec;
  const wanted = isIsolated ? 'the host is isolated' : 'the intent is Off';
  const cause = purpose === 'PowerOff' ? wanted : `a restart was asked for at ${restartedAt}`;
  if (gracePeriodSeconds === 0) return { step: 'Destroy', why: `${cause}, with no grace period` };
  if (!domain.state.running && domain.state.pausedBy === 'Panic')
    return { step: 'Destroy', why: `${cause}, and a guest whose kernel has panicked cannot shut down` };
  if (shutdown === undefined) {
    const isPaused = isPausedForGood(domain);
    if (isPaused) return { step: 'Resume', why: `${cause}, and a paused guest cannot shut down` };
    return { step: 'Shutdown', powerOffAtMs: nowMs + gracePeriodSeconds * 1000, why: cause };
  }
  // A shorter grace period given meanwhile counts from now on; so does the whole of it where the clock was set back.
  const untilMs = Math.min(shutdown.powerOffAtMs, nowMs + gracePeriodSeconds * 1000);
  if (nowMs < untilMs) return { step: 'AwaitShutdown', untilMs, purpose };
  return { step: 'Destroy', why: `${cause}, and the guest did not shut down within its ${gracePeriodSeconds} s` };
}

/** Nobody but the agent lets it go on. */
function isPausedForGood({ state }: ObservedDomain): boolean {
  return !state.running && state.pausedBy !== 'Transition' && state.pausedBy !== 'Migration';
}

/** Keeps a domain that shall live in the state it shall have. */
function follow({ instance, nowMs, resumeAtMs, lostDatastore }: Situation, { state }: ObservedDomain): Step {
  if (state.running) {
    return instance.spec.powerState === 'Paused'
      ? { step: 'Suspend', why: 'the intent is Paused' }
      : { step: 'Settled' };
  }
  const endsByItself = state.pausedBy === 'Transition' || state.pausedBy === 'Migration';
  if (instance.spec.powerState === 'Paused' || endsByItself) return { step: 'Settled' };
  if (state.pausedBy === 'Asked') return { step: 'Resume', why: 'the intent is Running' };
  // Its requests would only fail again. The agent looks anew as soon as the datastore is back.
  if (lostDatastore !== undefined) return { step: 'AwaitStorage', untilMs: nowMs + RESUME_INTERVAL_MS };
  if (resumeAtMs === undefined) return { step: 'AwaitStorage', untilMs: nowMs + RESUME_INTERVAL_MS };
  if (nowMs < resumeAtMs) return { step: 'AwaitStorage', untilMs: resumeAtMs };
  return { step: 'Resume', why: 'an I/O error paused the guest; its requests are tried again' };
}

function withoutDomain(situation: Situation): Step {
  const { instance, obstacle, refusal, nowMs } = situation;
  if (instance.spec.powerState === 'Off')
    return { step: 'StayOff', reason: situation.isIsolated ? 'HostIsolated' : 'PoweredOff' };
  const wanted = wantedStart(situation);
  if (wanted.step !== 'Start') return wanted;
  if (obstacle !== undefined) return { step: 'Blocked', ...obstacle };
  if (refusal !== undefined && refusal.generation === instance.metadata.generation) {
    if (refusal.retryAtMs === undefined) return { step: 'Refused', refusal };
    if (nowMs < refusal.retryAtMs) return { step: 'Refused', refusal, untilMs: refusal.retryAtMs };
  }
  return isClaimed(situation) ? wanted : { step: 'Claim', why: wanted.why };
}

/**
 * Whether the placement, or the status, says that this boot may run it. The operator takes a VM from a host without its word only with
 * proof that the boot named there is over, so that nothing must run of which they do not speak.
 */
function isClaimed({ instance: { spec, status }, host, bootID }: Situation): boolean {
  if (spec.bootID === bootID) return true;
  return status?.host === host && status.bootID === bootID && status.observedEpoch === spec.epoch;
}

/** Whether the VM is started now, later, or not. */
function wantedStart(situation: Situation): Step {
  const { instance, run, end, stopAsked } = situation;
  const { epoch, host } = instance.spec;
  if (run === undefined || run.epoch < epoch) return start(situation, `first start of epoch ${epoch} on ${host}`);
  if (end === undefined || !end.began) {
    const { restartDelaySeconds: delay } = run;
    const kept = delay === undefined ? {} : { restartDelaySeconds: delay };
    return start(situation, 'the start before this one was not carried out', kept);
  }
  if (end.reason === 'Migrated') {
    return {
      step: 'Blocked',
      reason: 'MigratedAway',
      message: `The domain was migrated to another host at ${end.at}, past Drover, so starting it here could run it twice. Shut it down there with virsh, then ask for a restart.`,
    };
  }
  const stopped: Stop = { at: end.at, reason: end.reason };
  if (isRestartOwed(situation, run.restartedAt)) {
    return start(situation, `a restart was asked for at ${instance.spec.restartedAt}`, { lastStop: stopped });
  }
  if (stopAsked) return start(situation, 'it is wanted again after it was powered off', { lastStop: stopped });
  if (instance.spec.restartPolicy === 'OnFailure' && end.reason === 'Shutdown') {
    return { step: 'StayOff', reason: 'GuestShutdown' };
  }
  if (instance.spec.hostFault?.action === 'None' && isEndOfHost(situation, run, stopped)) {
    return { step: 'StayOff', reason: 'HostFailed' };
  }
  return restart(situation, run, stopped);
}

/** Whether the VM was lost with its host: nobody ended the run, and the boot that it was in is over. The status tells it where no record does. */
function isEndOfHost({ instance: { spec, status }, host, bootID }: Situation, run: Run, stopped: Stop): boolean {
  if (stopped.reason !== 'Lost') return false;
  if (run.bootID !== undefined && run.bootID !== bootID) return true;
  return status?.host === host && status.observedEpoch === spec.epoch && status.reason === 'HostFailed';
}

/** The VM stopped by itself, and is to run. */
function restart(situation: Situation, run: Run, stopped: Stop): Step {
  const delaySeconds = restartDelaySeconds(run, stopped.at);
  const untilMs = Date.parse(stopped.at) + delaySeconds * 1000;
  // A clock that was set back since makes nobody wait longer than the delay.
  if (situation.nowMs < endOfOwnWait(untilMs, delaySeconds * 1000, situation.nowMs)) {
    return { step: 'AwaitRestart', untilMs, stop: stopped, run };
  }
  return start(situation, `it stopped by itself (${stopped.reason} at ${stopped.at})`, {
    lastStop: stopped,
    restarts: run.restarts + 1,
    restartDelaySeconds: delaySeconds,
  });
}

function start({ instance, nowMs, run, bootID }: Situation, why: string, changes: Partial<Run> = {}): Step {
  const kept = run !== undefined && run.lastStop !== undefined ? { lastStop: run.lastStop } : {};
  return {
    step: 'Start',
    run: {
      epoch: instance.spec.epoch,
      restartedAt: instance.spec.restartedAt,
      startedAt: new Date(nowMs).toISOString(),
      bootID,
      restarts: run?.restarts ?? 0,
      ...kept,
      ...changes,
    },
    why,
  };
}
