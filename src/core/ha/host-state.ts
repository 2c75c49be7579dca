import type { HAPolicySpec } from '../../api/ha-policy.ts';
import type { HostAvailability, ProofMethod } from '../../api/host-availability.ts';
import type { LeaseView } from './storage-lease.ts';

/** What is known of a host's agent by its lease, by the clock of the process that watches it. */
export type Heartbeat =
  /** This process has seen it renewed. */
  | { readonly kind: 'Seen'; readonly silentMs: number }
  /**
   * Not renewed since this process began to watch. `oldMs`: by the lease's own time, which another machine's clock has
   * written, so that it is good for patience and for nothing else.
   */
  | { readonly kind: 'NeverSeen'; readonly silentMs: number; readonly oldMs: number };

/**
 * Agent: it has proven to be the one that the host's status speaks of. NewAgent: it is the host's, and has begun since, perhaps in another
 * boot. Host: the machine answers there (it refuses the connection, or takes it and says no more), so
 * that it lives, and its VMs may, though not its agent. Nobody: nothing came back.
 */
export type DirectAnswer = 'Agent' | 'NewAgent' | 'Host' | 'Nobody';

/** Everything that one look at one host goes by. */
export interface HostInput {
  /** Unix time, milliseconds. */
  readonly nowMs: number;
  readonly host: string;
  /** Boot that the host has reported last. */
  readonly bootID: string;
  readonly before: HostAvailability | undefined;
  readonly policy: HAPolicySpec;
  readonly heartbeat: Heartbeat;
  /** Who answers when its agent is asked directly. Undefined: it was not asked, or there is no way to. */
  readonly answer: DirectAnswer | undefined;
  /** How often in a row nobody has. */
  readonly unanswered: number;
  /** What its BMC reads. `None`: the policy does not go by it, or the host has none. */
  readonly power:
    | { readonly kind: 'Read'; readonly state: 'On' | 'Off' }
    | { readonly kind: 'Failed'; readonly message: string }
    | { readonly kind: 'None'; readonly message: string };
  /** Its agent says that its lease on storage has lapsed, and that none of its guests is left. */
  readonly isOver: boolean;
  /** What others see of its lease on storage. `None`: the policy does not go by it, or nobody was asked. */
  readonly lease: LeaseView | { readonly kind: 'None' };
  /** VMs that are to run elsewhere when it is proven to be off. */
  readonly toRecover: number;
  /** Hosts of its Cluster, and how many of them are silent. */
  readonly cluster: { readonly hosts: number; readonly silent: number };
  /** VMs that are placed on it. */
  readonly placed: number;
  /** Those of them that it has not told of in this boot, and domains on it that no intent speaks of. */
  readonly unsettled: number;
  /** It is to be empty, because somebody works on it. */
  readonly inMaintenance: boolean;
  /** Boot that an administrator has confirmed to be over. */
  readonly confirmed: string | undefined;
}

/** What is known now, and what is done about it. */
export interface HostStep {
  readonly availability: HostAvailability;
  /** The host's power is to be cut now. What came of it is told to {@link afterFence}. */
  readonly fence: boolean;
  /** When to look again, in milliseconds, although nothing has changed that it could be seen by. Absent: not at all. */
  readonly againMs?: number;
}

/** A suspect is asked so often. */
const ASK_EVERY_MS = 1_000;
/** So often in a row must it not have answered. */
const UNANSWERED_MIN = 2;
/** A host that lost power may come back, and an administrator may confirm: it is looked at without a cause. */
const WATCH_EVERY_MS = 5_000;
/** A lease that was this old when the watch began tells of a power cut or a rebuilt cluster, not of a fault of this moment. */
const RECENT_MS = 60_000;
/** How long hosts may take to come up after that. */
const PATIENCE_MS = 120_000;
/** Before the next attempt of a fencing that failed: doubled each time, up to the longest. */
const FIRST_RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 30_000;

export function nextHostStep(input: HostInput): HostStep {
  const step = decide(input);
  const { refusedConfirmation: _refused, ...availability } = step.availability;
  // It stays refused until the annotation is taken away: who had not looked then, has not looked later.
  const isRefused = isRefusedOnce(input) || availability.reason === CONFIRMATION_REFUSED;
  return { ...step, availability: { ...availability, ...(isRefused && { refusedConfirmation: input.bootID }) } };
}

const CONFIRMATION_REFUSED = 'ConfirmationRefused';

/** Whether this very confirmation was made while the boot was alive. */
function isRefusedOnce({ before, bootID, confirmed }: HostInput): boolean {
  return confirmed === bootID && before?.bootID === bootID && before.refusedConfirmation === bootID;
}

/** Whether an administrator's word proves that the boot is over. */
function isConfirmed(input: HostInput): boolean {
  return input.confirmed === input.bootID && !isRefusedOnce(input);
}

/** Decides by the first rule that applies. */
function decide(input: HostInput): HostStep {
  const { before, bootID, heartbeat, answer, policy } = input;
  const sameBoot = before !== undefined && before.bootID === bootID;
  if (sameBoot && (before.state === 'Fenced' || before.state === 'Standby')) return fenced(input, before);
  const isAlive =
    answer === 'Agent' ||
    answer === 'NewAgent' ||
    (heartbeat.kind === 'Seen' && heartbeat.silentMs < suspectAfterMs(policy));
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

const FENCING_FAILED = 'FencingFailed';

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

/** It came back while nobody led, and has fallen silent again: then it has the same time to be heard of as any other host. */
function hasLivedSince(
  { nowMs, heartbeat, policy: { failureDetection } }: HostInput,
  before: HostAvailability,
): boolean {
  if (heartbeat.silentMs >= failureDetection.deadAfterSeconds * 1000) return false;
  return heartbeat.kind === 'Seen' || nowMs - heartbeat.oldMs > Date.parse(before.fence?.startedAt ?? before.since);
}

/** What a fencing has come to. */
export type FenceOutcome = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** The state after an attempt to cut the power. */
export function afterFence(before: HostAvailability, outcome: FenceOutcome, nowMs: number): HostAvailability {
  const { fence } = before;
  if (fence === undefined) return before;
  const at = iso(nowMs);
  const { message: _message, ...rest } = fence;
  if (!outcome.ok) {
    const message = `the host could not be powered off (attempt ${fence.attempts}): ${outcome.message}`;
    return {
      ...before,
      reason: FENCING_FAILED,
      message: `${message}. It is tried again`,
      fence: { ...rest, message: outcome.message },
    };
  }
  return {
    ...before,
    state: 'Fenced',
    since: at,
    reason: 'PoweredOff',
    message: `its BMC has cut the power, and reads that it is off: nothing of boot ${fence.bootID} runs any more`,
    fence: { ...rest, confirmedAt: at },
  };
}

/** When the next attempt of a fencing that has failed is due, in Unix time. */
function retryAtMs({ fence, since }: HostAvailability): number {
  const { attempts = 0, startedAt = since } = fence ?? {};
  // The sum of all waits so far: what one attempt took beyond it only delays the next one.
  let waitedMs = 0;
  for (let attempt = 0; attempt < attempts; attempt++)
    waitedMs += Math.min(FIRST_RETRY_MS * 2 ** attempt, LONGEST_RETRY_MS);
  return Date.parse(startedAt) + waitedMs;
}

function suspectAfterMs({ failureDetection }: HAPolicySpec): number {
  return failureDetection.suspectAfterSeconds * 1000;
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
  const fence = before?.fence === undefined ? {} : { fence: before.fence };
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
function silent(input: HostInput): HostStep {
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
    return as(
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
    return as(input, 'Dead', 'QuietTime', message, WATCH_EVERY_MS);
  }
  return isolated(input) ?? leaseLapsed(input) ?? dead(input, nowMs);
}

/** It was silent before anybody watched: a power cut, and not a fault of this moment. */
function isQuietTime({ heartbeat }: HostInput): boolean {
  return heartbeat.kind === 'NeverSeen' && heartbeat.oldMs > RECENT_MS && heartbeat.silentMs < PATIENCE_MS;
}

/** The machine answers, and its agent does not. */
function machineOnly(input: HostInput): HostStep {
  const { bootID, confirmed, host } = input;
  // A fact, whatever else answers there: its VMs are over.
  const lapsed = isQuietTime(input) ? undefined : leaseLapsed(input);
  if (lapsed !== undefined) return lapsed;
  if (confirmed === bootID) {
    const message = `an administrator has confirmed that boot ${bootID} is over, but the machine answers: its VMs may run, and nothing was done. Power it off, take the confirmation back (kubectl annotate host ${host} drover.dev/confirm-fenced-), and confirm it anew; or start drover-agent there`;
    return as(input, 'Suspect', CONFIRMATION_REFUSED, message, ASK_EVERY_MS);
  }
  const message =
    'the machine answers, but its agent does not: look at drover-agent there. Its VMs may run on, so that nothing is done about them; none can be started, stopped or moved';
  return as(input, 'Suspect', 'AgentNotResponding', message, ASK_EVERY_MS);
}

/** Nobody reaches it, and it lives: its power is not cut, since its VMs run. */
function isolated(input: HostInput): HostStep | undefined {
  const { lease } = input;
  if (lease.kind !== 'Alive') return undefined;
  const message = `neither the API server nor the operator hears of it, but host ${lease.by} sees that it renews its lease on storage: its VMs run on. Look at its agent, and at the network between it and the others`;
  return as(input, 'Isolated', 'LeaseRenewed', message, ASK_EVERY_MS);
}

/** A fact, and no deed: it holds whatever is to be done about it, and however many hosts are silent. */
function leaseLapsed(input: HostInput): HostStep | undefined {
  const { lease, bootID } = input;
  if (lease.kind === 'Followed') {
    const message = `host ${lease.by} sees that its keeper holds the lease on storage as ${lease.next}, which it does only when every VM of boot ${bootID} has ended`;
    return proven(input, 'StorageLease', 'LeaseLapsed', message);
  }
  if (lease.kind !== 'Lapsed') return undefined;
  const message = `host ${lease.by} has not seen it renew its lease on storage for ${Math.floor(lease.silentMs / 1000)} s: its keeper or its watchdog has ended every VM of boot ${bootID}`;
  return proven(input, 'StorageLease', 'LeaseLapsed', message);
}

/** Nothing was heard of it on any path. Whether, and how, it is made sure to be off. */
function dead(input: HostInput, nowMs: number): HostStep {
  const { policy, toRecover, power, cluster } = input;
  const { hostFault, fencing: how } = policy;
  const silence = 'no sign of life on any path';
  if (hostFault.action !== 'Restart') {
    const what =
      hostFault.action === 'None' ? 'its VMs stay off until an administrator acts' : 'its VMs wait for it to come back';
    return as(
      input,
      'Dead',
      'NotToBeFenced',
      `${silence}; ${what} (HAPolicy, hostFault.action ${hostFault.action})`,
      WATCH_EVERY_MS,
    );
  }
  if (toRecover === 0)
    return as(input, 'Dead', 'NothingToRecover', `${silence}; no VM waits to run elsewhere`, WATCH_EVERY_MS);
  const most = Math.max(1, Math.floor((cluster.hosts * how.maxSimultaneousPercent) / 100));
  if (cluster.silent > most) {
    const message = `${silence}, and ${cluster.silent} of ${cluster.hosts} hosts of the Cluster are silent; more than ${most} at once means the network and not the hosts, so that none is fenced (HAPolicy, fencing.maxSimultaneousPercent ${how.maxSimultaneousPercent}). ${byHand(input)}`;
    return as(input, 'Dead', 'TooManySilent', message, WATCH_EVERY_MS);
  }
  const dueMs = detectedAtMs(input) + hostFault.delaySeconds * 1000;
  if (nowMs < dueMs) {
    const message = `${silence}; it may come back until ${iso(dueMs)} (HAPolicy, hostFault.delaySeconds ${hostFault.delaySeconds})`;
    return as(input, 'Dead', 'Delayed', message, Math.min(WATCH_EVERY_MS, dueMs - nowMs));
  }
  if (!how.order.includes('BMC') && how.order.includes('StorageLease')) return awaitLapse(input, silence);
  if (!how.order.includes('BMC')) {
    const message = `${silence}; the HAPolicy has no way to prove that it is off (fencing.order is empty). ${byHand(input)}`;
    return as(input, 'Dead', 'NoFencingMethod', message, WATCH_EVERY_MS);
  }
  if (power.kind === 'None' && how.order.includes('StorageLease')) return awaitLapse(input, silence);
  if (power.kind === 'None') {
    return as(
      input,
      'Dead',
      'NoProof',
      `${silence}, and nothing proves that it is off: ${power.message}. ${byHand(input)}`,
      WATCH_EVERY_MS,
    );
  }
  return attempt(input, undefined);
}

/** Nothing can be done to it: it is waited for that nothing of it can run any more. */
function awaitLapse(input: HostInput, silence: string): HostStep {
  const { lease } = input;
  if (lease.kind === 'Silent') {
    const seconds = Math.ceil(lease.remainingMs / 1000);
    const message = `${silence}, and host ${lease.by} sees that its lease on storage is not renewed either: its VMs are surely over in ${seconds} s`;
    return as(input, 'Dead', 'LeaseRunsOut', message, Math.max(1, Math.min(ASK_EVERY_MS, lease.remainingMs)));
  }
  const why = lease.kind === 'Unknown' ? lease.message : 'nobody was asked for its lease on storage';
  return as(
    input,
    'Dead',
    'NoProof',
    `${silence}, and nothing proves that it is off: ${why}. ${byHand(input)}`,
    ASK_EVERY_MS,
  );
}

/** A fencing that is under way, perhaps by an operator that is no more. */
function fencing(input: HostInput, before: HostAvailability): HostStep {
  const { nowMs, bootID, power } = input;
  if (power.kind === 'Read' && power.state === 'Off') {
    return proven(
      input,
      'BMC',
      'PoweredOff',
      `its BMC has cut the power, and reads that it is off: nothing of boot ${bootID} runs any more`,
    );
  }
  if (isConfirmed(input)) return confirmedByHand(input);
  const lapsed = leaseLapsed(input);
  if (lapsed !== undefined) return lapsed;
  const waitMs = retryAtMs(before) - nowMs;
  const isFailed = before.reason === FENCING_FAILED;
  if (isFailed && waitMs > 0) return { availability: before, fence: false, againMs: Math.min(waitMs, WATCH_EVERY_MS) };
  return attempt(input, before);
}

function attempt(input: HostInput, before: HostAvailability | undefined): HostStep {
  const { nowMs, bootID } = input;
  const known = before?.fence?.bootID === bootID ? before.fence : undefined;
  const attempts = (known?.attempts ?? 0) + 1;
  const message = 'no sign of life on any path; its BMC is cutting the power';
  const step = as(input, 'Fencing', 'CuttingPower', message, ASK_EVERY_MS);
  const fence = {
    bootID,
    method: 'BMC' as const,
    startedAt: known?.startedAt ?? iso(nowMs),
    attempts,
    // Until this attempt has an outcome, that of the one before is the last.
    ...(known?.message !== undefined && { message: known.message }),
  };
  return { ...step, availability: { ...step.availability, fence }, fence: true };
}

/** The boot is over, and something other than our own order has shown it. */
function proven(input: HostInput, method: ProofMethod, reason: string, message: string): HostStep {
  const { nowMs, bootID, before } = input;
  const known = before?.fence?.bootID === bootID ? before.fence : undefined;
  const at = iso(nowMs);
  const isStandby = isOnStandby(input, method);
  const step = isStandby
    ? as(input, 'Standby', 'PoweredOffInMaintenance', STANDBY, WATCH_EVERY_MS)
    : as(input, 'Fenced', reason, message, WATCH_EVERY_MS);
  const fence = { bootID, method, startedAt: known?.startedAt ?? at, attempts: known?.attempts ?? 0, confirmedAt: at };
  return { ...step, availability: { ...step.availability, fence } };
}

const STANDBY = 'it is off, and was emptied for maintenance before: nothing is amiss';

/** Whether it was powered off on purpose. A lease proves that its VMs are over, and not that it is off. */
function isOnStandby({ inMaintenance, placed }: HostInput, method: ProofMethod): boolean {
  return inMaintenance && placed === 0 && method !== 'StorageLease';
}

/** The host lives, and serves again as soon as its storage is back. */
const AWAITS_STORAGE = 'AwaitsStorage';

function awaitsStorage(bootID: string): string {
  return `the host answers, but it could not renew its lease on storage, and has ended every VM of boot ${bootID}: others run them. It serves again by itself once its shared datastores take its lease: look at them, and at its network to them`;
}

function confirmedByHand(input: HostInput): HostStep {
  const message = `an administrator has confirmed that boot ${input.bootID} is over`;
  return proven(input, 'Administrator', 'ConfirmedByAdministrator', message);
}

/** It stays so until another boot, or term of it, reports. The same boot that answers gives its proof the lie. */
function fenced(input: HostInput, before: HostAvailability): HostStep {
  const { answer, bootID, nowMs } = input;
  if (before.fence === undefined) return { availability: before, fence: false, againMs: WATCH_EVERY_MS };
  // It says more than a lease does: also VMs that had just been moved there are over.
  if (answer !== 'Agent' && isConfirmed(input) && before.fence.method === 'StorageLease') return confirmedByHand(input);
  if (answer !== 'Agent') {
    const isStandby = isOnStandby(input, before.fence.method);
    if (isStandby === (before.state === 'Standby'))
      return { availability: before, fence: false, againMs: WATCH_EVERY_MS };
    return isStandby
      ? as(input, 'Standby', 'PoweredOffInMaintenance', STANDBY, WATCH_EVERY_MS)
      : as(
          input,
          'Fenced',
          'MaintenanceOver',
          'it is off, although it is in maintenance no more: power it on',
          WATCH_EVERY_MS,
        );
  }
  // A lease ends VMs, and not always their host: it may answer, and has nothing of that boot to run.
  if (before.fence.method === 'StorageLease') {
    const availability = { ...before, reason: AWAITS_STORAGE, message: awaitsStorage(bootID) };
    return { availability, fence: false, againMs: WATCH_EVERY_MS };
  }
  const { confirmedAt: _confirmedAt, ...fence } = before.fence;
  const message = `the host answers although boot ${bootID} was proven to be over by ${before.fence.method}: what reads its power must be another machine's, or an administrator was wrong. VMs that were restarted elsewhere may run twice. Power the host off by hand at once, and check spec.power.bmc`;
  return {
    availability: { ...before, state: 'Suspect', since: iso(nowMs), reason: 'ProofContradicted', message, fence },
    fence: false,
    againMs: ASK_EVERY_MS,
  };
}

function as(
  input: HostInput,
  state: HostAvailability['state'],
  reason: string,
  message: string,
  againMs: number,
): HostStep {
  const { before, bootID, nowMs } = input;
  const same = before?.state === state && before.bootID === bootID;
  const fence = before?.fence === undefined ? {} : { fence: before.fence };
  const detectedAt = iso(detectedAtMs(input));
  return {
    availability: { state, since: same ? before.since : iso(nowMs), bootID, detectedAt, reason, message, ...fence },
    fence: false,
    againMs,
  };
}

function detectedAtMs({ before, bootID, nowMs }: HostInput): number {
  const known = before?.bootID === bootID ? Date.parse(before.detectedAt ?? '') : Number.NaN;
  return Number.isNaN(known) ? nowMs : known;
}

/** How an administrator helps where nothing else proves it. */
function byHand(input: HostInput): string {
  const { host, bootID } = input;
  const again = isRefusedOnce(input)
    ? `The confirmation that there is was made while the machine lived, and counts no more: take it away first (kubectl annotate host ${host} drover.dev/confirm-fenced-). `
    : '';
  return `${again}Make sure that the host is off, and confirm it: kubectl annotate host ${host} --overwrite drover.dev/confirm-fenced=${bootID}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
