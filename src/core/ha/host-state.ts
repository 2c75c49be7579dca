import type { HostAvailability } from '../../api/host-availability.ts';
import { dead } from './dead-host.ts';
import { FENCING_FAILED, fencing, hasLivedSince } from './fencing.ts';
import {
  AWAITS_STORAGE,
  awaitsStorage,
  CONFIRMATION_REFUSED,
  confirmedByHand,
  fenced,
  isConfirmed,
  isRefusedOnce,
  leaseLapsed,
  proven,
} from './host-proof.ts';
import {
  ASK_EVERY_MS,
  type HostInput,
  type HostStep,
  inState,
  isAliveNow,
  iso,
  isQuietTime,
  PATIENCE_MS,
  suspectAfterMs,
  WATCH_EVERY_MS,
} from './host-step.ts';

/** So often in a row must it not have answered. */
const UNANSWERED_MIN = 2;

export function nextHostStep(input: HostInput): HostStep {
  const step = decide(input);
  const { refusedConfirmation: _refused, ...availability } = step.availability;
  // It stays refused until the annotation is taken away: who had not looked then, has not looked later.
  const isRefused = isRefusedOnce(input) || availability.reason === CONFIRMATION_REFUSED;
  return { ...step, availability: { ...availability, ...(isRefused && { refusedConfirmation: input.bootID }) } };
}

/** Decides by the first rule that applies. */
function decide(input: HostInput): HostStep {
  const { before, bootID, heartbeat, policy } = input;
  const sameBoot = before !== undefined && before.bootID === bootID;
  if (sameBoot && (before.state === 'Fenced' || before.state === 'Standby')) return fenced(input, before);
  const isAlive = isAliveNow(input);
  // Two copies may run until somebody has looked: that must not be overwritten by the next good news.
  if (isAlive && sameBoot && before.reason === 'ProofContradicted')
    return { availability: before, fence: false, againMs: ASK_EVERY_MS };
  if (input.isOver) return proven(input, 'StorageLease', AWAITS_STORAGE, awaitsStorage(bootID));
  if (isAlive) return online(input);
  if (sameBoot && before.state === 'Fencing' && !hasLivedSince(input, before)) return fencing(input, before);
  // A process that has just begun to watch knows nothing yet: what the one before it knew stands.
  if (heartbeat.silentMs < suspectAfterMs(policy)) return asBefore(input, suspectAfterMs(policy) - heartbeat.silentMs);
  return silent(input);
}

/**
 * Whether people are to be told of a change. That a fencing is tried once more, and fails once more for the same cause, is none: its message
 * counts the attempts.
 */
export function isNews(before: HostAvailability | undefined, after: HostAvailability): boolean {
  const isSameFence = before?.state === 'Fencing' && before.fence?.bootID === after.fence?.bootID;
  if (isSameFence && after.state === 'Fencing') {
    return after.reason === FENCING_FAILED && before.fence?.message !== after.fence?.message;
  }
  return before?.state !== after.state || before.reason !== after.reason;
}

function online(input: HostInput): HostStep {
  const { bootID, confirmed, answer, heartbeat, policy } = input;
  const isReachedOnly = (answer === 'Agent' || answer === 'NewAgent') && heartbeat.silentMs >= suspectAfterMs(policy);
  const [reason, message] =
    confirmed === bootID
      ? [
          CONFIRMATION_REFUSED,
          `an administrator has confirmed that boot ${bootID} is over, but it is alive: nothing was done. Take the annotation drover.dev/confirm-fenced away`,
        ]
      : isReachedOnly
        ? [
            'AgentCutOffFromAPI',
            'its agent answers the operator, but does not renew its lease: look at the network between the host and the API server. Its VMs run on',
          ]
        : ['Alive', 'its agent renews its lease'];
  return alive(
    input,
    reason,
    message,
    isReachedOnly ? ASK_EVERY_MS : Math.max(1, suspectAfterMs(policy) - heartbeat.silentMs),
  );
}

/** Online; after a boot that ended by a fencing Recovered first, until it has looked for everything that it may have. */
function alive(input: HostInput, reason: string, message: string, againMs: number): HostStep {
  const { before, bootID, unsettled, nowMs } = input;
  const hasBootedSince = before !== undefined && before.bootID !== bootID && before.fence?.bootID === before.bootID;
  const isBack = hasBootedSince ? before.fence?.confirmedAt !== undefined : before?.state === 'Recovered';
  const isRecovered = isBack && unsettled > 0;
  const state = isRecovered ? 'Recovered' : 'Online';
  const isPlain = isRecovered && (reason === 'Alive' || reason === 'JustBegun');
  const why = isPlain
    ? {
        reason: 'Reconciling',
        message: `it has booted since it was proven to be off, and ${unsettled} of its VMs or domains are not settled: VMs that it has not told of since, and domains that no VM speaks of (status.strayDomains)`,
      }
    : { reason, message };
  const same = before?.state === state && before.bootID === bootID;
  // An attempt that was not brought to its end, and is needed no more, would look like a fault of the host.
  const fence = before?.fence?.confirmedAt === undefined ? {} : { fence: before.fence };
  return {
    availability: { state, since: same ? before.since : iso(nowMs), bootID, ...why, ...fence },
    fence: false,
    againMs,
  };
}

function asBefore(input: HostInput, againMs: number): HostStep {
  const { before, bootID } = input;
  if (before !== undefined && before.bootID === bootID) return { availability: before, fence: false, againMs };
  return alive(input, 'JustBegun', 'the operator has just begun to watch it', againMs);
}

/** No sign of life for long enough to be noticed. */
export function silent(input: HostInput): HostStep {
  const { policy, heartbeat, bootID, power, nowMs, unanswered, answer } = input;
  const { failureDetection } = policy;
  const deadAfterMs = failureDetection.deadAfterSeconds * 1000;
  if (power.kind === 'Read' && power.state === 'Off') {
    return proven(input, 'BMC', 'PowerIsOff', `its BMC reads that it is off: nothing of boot ${bootID} runs any more`);
  }
  if (answer === 'Host') return machineOnly(input);
  const wasAsked = answer === undefined || unanswered >= UNANSWERED_MIN;
  if (heartbeat.silentMs < deadAfterMs || !wasAsked) {
    const message = `its agent has stopped renewing its lease; it is being asked directly, and counts as dead ${failureDetection.deadAfterSeconds} s after its last sign of life`;
    return inState(
      input,
      'Suspect',
      'Silent',
      message,
      Math.min(ASK_EVERY_MS, Math.max(1, deadAfterMs - heartbeat.silentMs)),
    );
  }
  if (isConfirmed(input)) return confirmedByHand(input);
  if (isQuietTime(input)) {
    const message = `it was silent before the operator began to watch, as after a power cut: it is given ${PATIENCE_MS / 1000} s to come up before anything is done`;
    return inState(input, 'Dead', 'QuietTime', message, WATCH_EVERY_MS);
  }
  return isolated(input) ?? leaseLapsed(input) ?? dead(input, nowMs);
}

/** The machine answers, and its agent does not. */
function machineOnly(input: HostInput): HostStep {
  const { bootID, confirmed, host } = input;
  // A fact, whatever else answers there: its VMs are over.
  const lapsed = isQuietTime(input) ? undefined : leaseLapsed(input);
  if (lapsed !== undefined) return lapsed;
  if (confirmed === bootID) {
    const message = `an administrator has confirmed that boot ${bootID} is over, but the machine answers: its VMs may run, and nothing was done. Power it off, take the confirmation back (kubectl annotate host ${host} drover.dev/confirm-fenced-), and confirm it anew; or start drover-agent there`;
    return inState(input, 'Suspect', CONFIRMATION_REFUSED, message, ASK_EVERY_MS);
  }
  const message =
    'the machine answers, but its agent does not: look at drover-agent there. Its VMs may run on, so that nothing is done about them; none can be started, stopped or moved';
  return inState(input, 'Suspect', 'AgentNotResponding', message, ASK_EVERY_MS);
}

/** Nobody reaches it, and it lives: its power is not cut, since its VMs run. */
function isolated(input: HostInput): HostStep | undefined {
  const { lease } = input;
  if (lease.kind !== 'Alive') return undefined;
  const { isolationResponse } = input.policy;
  const what =
    isolationResponse === 'LeavePoweredOn'
      ? 'its VMs run on'
      : `if it finds that it alone is cut off, it ends its VMs (HAPolicy, isolationResponse ${isolationResponse}) and gives the lease up then, after which they run elsewhere`;
  const message = `neither the API server nor the operator hears of it, but host ${lease.by} sees that it renews its lease on storage: ${what}. Look at its agent, and at the network between it and the others`;
  return inState(input, 'Isolated', 'LeaseRenewed', message, ASK_EVERY_MS);
}
