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
  /** What others see of its lease on storage. `None`: the policy does not go by it, or nobody was asked. */
  readonly lease: LeaseView | { readonly kind: 'None' };
  /** VMs that are to run elsewhere when it is proven to be off. */
  readonly toRecover: number;
  /** Hosts of its Cluster, and how many of them are silent. */
  readonly cluster: { readonly hosts: number; readonly silent: number };
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

/** Decides by the first rule that applies. */
export function nextHostStep(input: HostInput): HostStep {
  const { before, bootID, heartbeat, answer, policy } = input;
  const sameBoot = before !== undefined && before.bootID === bootID;
  if (sameBoot && before.state === 'Fenced') return fenced(input, before);
  const isAlive =
    answer === 'Agent' ||
    answer === 'NewAgent' ||
    (heartbeat.kind === 'Seen' && heartbeat.silentMs < suspectAfterMs(policy));
  // Two copies may run until somebody has looked: that must not be overwritten by the next good news.
  if (isAlive && sameBoot && before.reason === 'ProofContradicted')
    return { availability: before, fence: false, againMs: ASK_EVERY_MS };
  if (isAlive) return online(input);
  if (sameBoot && before.state === 'Fencing' && !hasLivedSince(input, before)) return fencing(input, before);
  // A process that has just begun to watch knows nothing yet: what the one before it knew stands.
  if (heartbeat.silentMs < suspectAfterMs(policy)) return asBefore(input, suspectAfterMs(policy) - heartbeat.silentMs);
  return silent(input);
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
      reason: 'FencingFailed',
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
  const { before, bootID, confirmed, answer, heartbeat, policy } = input;
  const fence = before?.fence === undefined ? {} : { fence: before.fence };
  const isReachedOnly = (answer === 'Agent' || answer === 'NewAgent') && heartbeat.silentMs >= suspectAfterMs(policy);
  const [reason, message] =
    confirmed === bootID
      ? [
          'ConfirmationRefused',
          `an administrator has confirmed that boot ${bootID} is over, but it is alive: nothing was done. Take the annotation drover.dev/confirm-fenced away`,
        ]
      : isReachedOnly
        ? [
            'AgentCutOffFromAPI',
            'its agent answers the operator, but does not renew its lease: look at the network between the host and the API server. Its VMs run on',
          ]
        : ['Alive', 'its agent renews its lease'];
  const same = before?.state === 'Online' && before.bootID === bootID;
  return {
    availability: { state: 'Online', since: same ? before.since : iso(input.nowMs), bootID, reason, message, ...fence },
    fence: false,
    againMs: isReachedOnly ? ASK_EVERY_MS : Math.max(1, suspectAfterMs(policy) - heartbeat.silentMs),
  };
}

function asBefore({ before, bootID, nowMs }: HostInput, againMs: number): HostStep {
  if (before !== undefined && before.bootID === bootID) return { availability: before, fence: false, againMs };
  const fence = before?.fence === undefined ? {} : { fence: before.fence };
  const message = 'the operator has just begun to watch it';
  return {
    availability: { state: 'Online', since: iso(nowMs), bootID, reason: 'JustBegun', message, ...fence },
    fence: false,
    againMs,
  };
}

/** No sign of life for long enough to be noticed. */
function silent(input: HostInput): HostStep {
  const { policy, heartbeat, confirmed, bootID, power, nowMs, unanswered, answer } = input;
  const { failureDetection } = policy;
  const deadAfterMs = failureDetection.deadAfterSeconds * 1000;
  if (power.kind === 'Read' && power.state === 'Off') {
    return proven(input, 'BMC', 'PowerIsOff', `its BMC reads that it is off: nothing of boot ${bootID} runs any more`);
  }
  if (answer === 'Host') {
    const message =
      'the machine answers, but its agent does not: look at drover-agent there. Its VMs may run on, so that nothing is done about them; none can be started, stopped or moved';
    return as(input, 'Suspect', 'AgentNotResponding', message, ASK_EVERY_MS);
  }
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
  if (confirmed === bootID) {
    const message = `an administrator has confirmed that boot ${bootID} is over`;
    return proven(input, 'Administrator', 'ConfirmedByAdministrator', message);
  }
  if (heartbeat.kind === 'NeverSeen' && heartbeat.oldMs > RECENT_MS && heartbeat.silentMs < PATIENCE_MS) {
    const message = `it was silent before the operator began to watch, as after a power cut: it is given ${PATIENCE_MS / 1000} s to come up before anything is done`;
    return as(input, 'Dead', 'QuietTime', message, WATCH_EVERY_MS);
  }
  return isolated(input) ?? leaseLapsed(input) ?? dead(input, nowMs);
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
  if (lease.kind !== 'Lapsed') return undefined;
  const message = `host ${lease.by} has not seen it renew its lease on storage for ${Math.floor(lease.silentMs / 1000)} s: its keeper or its watchdog has ended every VM of boot ${bootID}`;
  return proven(input, 'StorageLease', 'LeaseLapsed', message);
}

/** Nothing was heard of it on any path. Whether, and how, it is made sure to be off. */
function dead(input: HostInput, nowMs: number): HostStep {
  const { policy, toRecover, power, cluster, host, bootID } = input;
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
    const message = `${silence}, and ${cluster.silent} of ${cluster.hosts} hosts of the Cluster are silent; more than ${most} at once means the network and not the hosts, so that none is fenced (HAPolicy, fencing.maxSimultaneousPercent ${how.maxSimultaneousPercent}). ${byHand(host, bootID)}`;
    return as(input, 'Dead', 'TooManySilent', message, WATCH_EVERY_MS);
  }
  const dueMs = detectedAtMs(input) + hostFault.delaySeconds * 1000;
  if (nowMs < dueMs) {
    const message = `${silence}; it may come back until ${iso(dueMs)} (HAPolicy, hostFault.delaySeconds ${hostFault.delaySeconds})`;
    return as(input, 'Dead', 'Delayed', message, Math.min(WATCH_EVERY_MS, dueMs - nowMs));
  }
  if (!how.order.includes('BMC') && how.order.includes('StorageLease')) return awaitLapse(input, silence);
  if (!how.order.includes('BMC')) {
    const message = `${silence}; the HAPolicy has no way to prove that it is off (fencing.order is empty). ${byHand(host, bootID)}`;
    return as(input, 'Dead', 'NoFencingMethod', message, WATCH_EVERY_MS);
  }
  if (power.kind === 'None' && how.order.includes('StorageLease')) return awaitLapse(input, silence);
  if (power.kind === 'None') {
    return as(
      input,
      'Dead',
      'NoProof',
      `${silence}, and nothing proves that it is off: ${power.message}. ${byHand(host, bootID)}`,
      WATCH_EVERY_MS,
    );
  }
  return attempt(input, undefined);
}

/** Nothing can be done to it: it is waited for that nothing of it can run any more. */
function awaitLapse(input: HostInput, silence: string): HostStep {
  const { lease, host, bootID } = input;
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
    `${silence}, and nothing proves that it is off: ${why}. ${byHand(host, bootID)}`,
    ASK_EVERY_MS,
  );
}

/** A fencing that is under way, perhaps by an operator that is no more. */
function fencing(input: HostInput, before: HostAvailability): HostStep {
  const { nowMs, confirmed, bootID, power } = input;
  if (power.kind === 'Read' && power.state === 'Off') {
    return proven(
      input,
      'BMC',
      'PoweredOff',
      `its BMC has cut the power, and reads that it is off: nothing of boot ${bootID} runs any more`,
    );
  }
  if (confirmed === bootID) {
    return proven(
      input,
      'Administrator',
      'ConfirmedByAdministrator',
      `an administrator has confirmed that boot ${bootID} is over`,
    );
  }
  const lapsed = leaseLapsed(input);
  if (lapsed !== undefined) return lapsed;
  const waitMs = retryAtMs(before) - nowMs;
  const isFailed = before.fence?.message !== undefined;
  if (isFailed && waitMs > 0) return { availability: before, fence: false, againMs: Math.min(waitMs, WATCH_EVERY_MS) };
  return attempt(input, before);
}

function attempt(input: HostInput, before: HostAvailability | undefined): HostStep {
  const { nowMs, bootID } = input;
  const known = before?.fence?.bootID === bootID ? before.fence : undefined;
  const attempts = (known?.attempts ?? 0) + 1;
  const message = 'no sign of life on any path; its BMC is cutting the power';
  const step = as(input, 'Fencing', 'CuttingPower', message, ASK_EVERY_MS);
  const fence = { bootID, method: 'BMC' as const, startedAt: known?.startedAt ?? iso(nowMs), attempts };
  return { ...step, availability: { ...step.availability, fence }, fence: true };
}

/** The boot is over, and something other than our own order has shown it. */
function proven(input: HostInput, method: ProofMethod, reason: string, message: string): HostStep {
  const { nowMs, bootID, before } = input;
  const known = before?.fence?.bootID === bootID ? before.fence : undefined;
  const at = iso(nowMs);
  const step = as(input, 'Fenced', reason, message, WATCH_EVERY_MS);
  const fence = { bootID, method, startedAt: known?.startedAt ?? at, attempts: known?.attempts ?? 0, confirmedAt: at };
  return { ...step, availability: { ...step.availability, fence } };
}

/** It stays so until another boot reports. The same boot that answers gives its proof the lie. */
function fenced(input: HostInput, before: HostAvailability): HostStep {
  const { answer, bootID, nowMs } = input;
  if (answer !== 'Agent' || before.fence === undefined)
    return { availability: before, fence: false, againMs: WATCH_EVERY_MS };
  // A lease ends VMs, and not always their host: it may answer, and has nothing of that boot to run.
  if (before.fence.method === 'StorageLease') {
    const message = `the host answers, but its lease on storage had lapsed: it runs no VM of boot ${bootID} and starts none before its next boot. Reboot it once its storage works`;
    const availability = { ...before, reason: 'AwaitsReboot', message };
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
function byHand(host: string, bootID: string): string {
  return `Make sure that the host is off, and confirm it: kubectl annotate host ${host} --overwrite drover.dev/confirm-fenced=${bootID}`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
