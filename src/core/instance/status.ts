import type { VirtualMachineInstanceStatus } from '../../api/virtual-machine-instance.ts';
import { restartCommand } from '../model/restart-command.ts';
import { type Decision, type Fault, type GuestVerdict, guestFaultAfter, judgeGuest } from './guest-fault.ts';
import { migrationStatus } from './migration.ts';
import type { Rest, Step } from './next-step.ts';
import { type Phase, readiness } from './ready.ts';
import type { ObservedDomain, Run, Situation, Stop } from './situation.ts';

/** A status without the conditions' times, which depend on the ones before. */
export type ComputedStatus = Omit<VirtualMachineInstanceStatus, 'conditions'> & {
  readonly ready: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string };
};

interface Verdict {
  readonly phase: Phase;
  readonly reason?: string;
  readonly message?: string;
  readonly nextStartAt?: string;
  readonly powerOffAt?: string;
}

/** What a status is written at: a rest, a start that takes its time, or a reset that is about to be made. */
type Told = Rest | { readonly step: 'Starting' } | Extract<Step, { readonly step: 'Reset' | 'EndCrashed' }>;

/** The status of an instance. Computed anew each time. */
export function instanceStatus(situation: Situation, rest: Told): ComputedStatus {
  const { instance, host, bootID, run, end, domain } = situation;
  const verdict = verdictOf(situation, rest);
  const ready = rest.step === 'GuestFailed' ? failed(verdict) : readiness(situation, verdict);
  const migration = migrationStatus(situation);
  const guest = judgeGuest(situation);
  const guestFault = guestFaultAfter(situation, decisionOf(rest));
  // A VM that has moved has not stopped.
  const hasStopped = end?.began === true && migration?.phase !== 'Moved';
  const lastStop: Stop | undefined = hasStopped ? { at: end.at, reason: end.reason } : run?.lastStop;
  const restartedAt = domain?.restartedAt ?? run?.restartedAt ?? '';
  return {
    observedGeneration: instance.metadata.generation,
    observedEpoch: instance.spec.epoch,
    host,
    bootID,
    ...verdict,
    ...(migration?.phase === 'Moved' && carriedOver(instance.status)),
    ...(domain && { startedAt: domain.startedAt }),
    ...(domain?.cpu && { cpu: domain.cpu }),
    ...(restartedAt !== '' && { restartedAt }),
    ...countersOf(run),
    ...(lastStop && { lastStop }),
    ...(domain && domain.outdatedFields.length > 0 && { restartRequired: [...domain.outdatedFields] }),
    ...(migration && { migration }),
    ...(domain && { guestTools: guestToolsOf(domain, situation, guest) }),
    ...(guestFault && { guestFault }),
    ready: ready.ok
      ? { status: 'True', reason: verdict.reason ?? verdict.phase, message: verdict.message ?? '' }
      : { status: 'False', reason: ready.reason, message: ready.message },
  };
}

function decisionOf(rest: Told): Decision | undefined {
  if (rest.step === 'Reset' || rest.step === 'EndCrashed') return { fault: rest.fault, action: 'Reboot' };
  return rest.step === 'GuestFailed' ? { fault: rest.fault, action: rest.action } : undefined;
}

/** Silence is told once it is longer than the policy allows: every hiccup would cost writes. */
function guestToolsOf(
  { guestTools, silence }: ObservedDomain,
  { instance }: Situation,
  guest: GuestVerdict,
): NonNullable<ComputedStatus['guestTools']> {
  const timeoutMs = (instance.spec.vmFault?.heartbeatTimeoutSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  const isSilent = silence !== undefined && silence.silentForMs >= timeoutMs;
  return {
    ...guestTools,
    addresses: [...guestTools.addresses],
    ...(isSilent && { silentSince: silence.since }),
    ...(guest.verdict === 'Suppressed' && { suppressedBy: guest.by }),
  };
}

/** A VM that has moved has what it had: its new host says so anew in a moment. */
function carriedOver(status: VirtualMachineInstanceStatus | undefined): Partial<ComputedStatus> {
  const { startedAt, cpu, restartRequired, guestTools } = status ?? {};
  return {
    ...(cpu && { cpu }),
    ...(startedAt !== undefined && { startedAt }),
    ...(restartRequired && { restartRequired }),
    ...(guestTools && { guestTools }),
  };
}

function countersOf(run: Run | undefined): Pick<ComputedStatus, 'restarts' | 'restartDelaySeconds'> {
  return {
    ...(run && run.restarts > 0 && { restarts: run.restarts }),
    ...(run?.restartDelaySeconds !== undefined && { restartDelaySeconds: run.restartDelaySeconds }),
  };
}

function verdictOf(situation: Situation, rest: Told): Verdict {
  switch (rest.step) {
    case 'AwaitStart':
    case 'Starting':
      return { phase: 'Starting', reason: 'Starting', message: 'libvirt is starting the domain.' };
    case 'AwaitMigration':
      return migrating(situation);
    case 'Settled':
      return { phase: situation.domain?.state.running === false ? 'Paused' : 'Running' };
    case 'AwaitShutdown':
      return awaitingShutdown(situation, rest);
    case 'AwaitStorage':
      return {
        phase: 'Paused',
        reason: 'IOError',
        message:
          situation.lostDatastore === undefined
            ? 'A disk failed or its datastore is full, so the guest is paused and nothing is lost. Free space or bring the datastore back: it is resumed by itself.'
            : `The host has lost Datastore ${situation.lostDatastore}, so the guest is paused and nothing is lost. Bring the datastore back: it is resumed by itself.`,
      };
    case 'AwaitRestart':
      return awaitingRestart(rest);
    case 'Reset':
    case 'EndCrashed':
      return guestFailed(situation, rest.fault, 'It is reset now.');
    case 'GuestFailed':
      return guestFailed(situation, rest.fault, whatFollows(rest));
    case 'StayOff':
      return {
        phase: 'Off',
        reason: rest.reason,
        ...(rest.reason === 'HostFailed' && { message: hostFailed(situation) }),
      };
    case 'RefuseEpoch':
      return oldEpoch(situation);
    case 'Blocked':
      return { phase: 'Failed', reason: rest.reason, message: rest.message };
    case 'Refused': {
      const { reason, message } = rest.refusal;
      return {
        phase: 'Failed',
        reason,
        message,
        ...(rest.untilMs !== undefined && { nextStartAt: iso(rest.untilMs) }),
      };
    }
  }
}

/** The VM runs, here or at the target, but for a break at the very end. */
function migrating(situation: Situation): Verdict {
  const targetHost = situation.instance.spec.migration?.targetHost;
  if (migrationStatus(situation)?.phase !== 'Unclear') return { phase: 'Running', reason: 'Migrating' };
  return {
    phase: 'Paused',
    reason: 'MigrationUnclear',
    message: `The migration to ${targetHost} broke off at its very end. The VM goes on, here or there, when ${targetHost} has told whether its copy runs.`,
  };
}

function awaitingShutdown(
  { instance }: Situation,
  { purpose, untilMs }: Extract<Rest, { step: 'AwaitShutdown' }>,
): Verdict {
  const what = purpose === 'PowerOff' ? 'shut down' : 'shut down, to be started again';
  return {
    phase: 'Stopping',
    reason: purpose === 'PowerOff' ? 'PoweringOff' : 'Restarting',
    message: `The guest was asked to ${what}; its power is cut ${instance.spec.gracePeriodSeconds} s after that at the latest.`,
    powerOffAt: iso(untilMs),
  };
}

function awaitingRestart({ stop, untilMs, run }: Extract<Rest, { step: 'AwaitRestart' }>): Verdict {
  return {
    phase: 'CrashLoop',
    reason: stop.reason,
    message: `It stopped by itself again (${stop.reason} at ${stop.at}), after ${run.restarts} restarts; it is started at ${iso(untilMs)}. See its console log, or halt the VM.`,
    nextStartAt: iso(untilMs),
  };
}

/** A guest that hangs is not what anybody wants, although its domain runs. */
function failed({ reason = '', message = '' }: Verdict): ReturnType<typeof readiness> {
  return { ok: false, reason, message };
}

/** A domain that stands still is no running one, whatever libvirt would do with it. */
function guestFailed({ domain }: Situation, { reason, words }: Fault, then: string): Verdict {
  const phase = domain?.state.running === true ? 'Running' : 'Failed';
  return { phase, reason, message: `The guest has failed: ${words}. ${then}` };
}

function whatFollows(rest: Extract<Rest, { step: 'GuestFailed' }>): string {
  if (rest.action === 'Restart') return 'The VM is ended here, and started on another host where one can take it.';
  return `Nothing is done, since it was reset or restarted ${rest.resets} times because of that; it is again from ${iso(rest.untilMs)} on (HAPolicy, vmFault.maxResets). See its console log, then restart the VM.`;
}

/** Nobody wants it to start by itself. */
export function hostFailed({ instance: { metadata }, host }: Situation): string {
  return `Host ${host} failed while the VM ran on it, and its HAPolicy does nothing then (hostFault.action None): it stays off until somebody restarts it, by: ${restartCommand(metadata)}`;
}

function oldEpoch({ instance, host, newestEpoch: recorded, domain }: Situation): Verdict {
  const newestEpoch = Math.max(recorded, domain?.epoch ?? 0);
  const running =
    domain === undefined ? 'No domain of it runs here' : `Its domain of epoch ${domain.epoch} is left as it is`;
  return {
    phase: 'Failed',
    reason: 'OldEpoch',
    message: `${host} has already seen epoch ${newestEpoch} of this VM and refuses epoch ${instance.spec.epoch}. ${running}. If etcd was restored from a backup, raise status.epoch of the VirtualMachine to ${newestEpoch} and delete this instance.`,
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
