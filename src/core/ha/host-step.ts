import type { HAPolicySpec } from '../../api/ha-policy.ts';
import type { HostAvailability } from '../../api/host-availability.ts';
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
  /** What its BMC reads. `None`: the policy does not go by it, or the host has none that is believed. */
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
export const ASK_EVERY_MS = 1_000;
/** A host that lost power may come back, and an administrator may confirm: it is looked at without a cause. */
export const WATCH_EVERY_MS = 5_000;
/** A lease that was this old when the watch began tells of a power cut or a rebuilt cluster, not of a fault of this moment. */
const RECENT_MS = 60_000;
/** How long hosts may take to come up after that. */
export const PATIENCE_MS = 120_000;

/** The step into a state, and what is kept of the one before. */
export function inState(
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

/** When this boot was first found to be in a state that is told of, in Unix time. */
export function detectedAtMs({ before, bootID, nowMs }: HostInput): number {
  const known = before?.bootID === bootID ? Date.parse(before.detectedAt ?? '') : Number.NaN;
  return Number.isNaN(known) ? nowMs : known;
}

export function suspectAfterMs({ failureDetection }: HAPolicySpec): number {
  return failureDetection.suspectAfterSeconds * 1000;
}

/** Its agent is heard of, on whichever path. */
export function isAliveNow({ answer, heartbeat, policy }: HostInput): boolean {
  const isRenewing = heartbeat.kind === 'Seen' && heartbeat.silentMs < suspectAfterMs(policy);
  return answer === 'Agent' || answer === 'NewAgent' || isRenewing;
}

/** It was silent before anybody watched: a power cut, and not a fault of this moment. */
export function isQuietTime({ heartbeat }: HostInput): boolean {
  return heartbeat.kind === 'NeverSeen' && heartbeat.oldMs > RECENT_MS && heartbeat.silentMs < PATIENCE_MS;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
