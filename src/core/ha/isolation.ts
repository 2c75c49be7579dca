import type { HAPolicySpec } from '../../api/ha-policy.ts';
import type { LeasesAnswer } from '../../api/storage-lease.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { ALIVE_WITHIN_MS } from './storage-lease.ts';

/** What an agent knows of its connections. */
export interface IsolationLook {
  /** For how long the API server has not taken a renewal of the host's Lease, in milliseconds. */
  readonly apiSilentMs: number;
  /** Peers of which addresses are known, and how many of them anything came back from: an agent, or the kernel of a host that refuses. */
  readonly peers: { readonly known: number; readonly answering: number };
  /** Whether another host is seen to renew its lease on shared storage, and says there that it reaches the API server. */
  readonly othersReachApi: boolean;
}

/** How an agent stands to the others. Times by a clock that only goes forward, in milliseconds. */
export type Isolation =
  | { readonly state: 'Connected' }
  /** It has lost the API server, and carries on. */
  | { readonly state: 'CutOff'; readonly because: 'PeersAnswer' | 'NoPeers' | 'SeesNobody' }
  /** As for `Isolated`, but not for long enough. */
  | { readonly state: 'Suspected'; readonly sinceMs: number }
  /** It alone has lost everybody, while others go on. */
  | { readonly state: 'Isolated'; readonly sinceMs: number };

/** Three renewals of the Lease that did not come. */
export const CUT_OFF_AFTER_MS = 9_000;
/**
 * How long it must have looked so. Where all lose the API server at once, the others' last word that they reach it must have run out
 * before: this host's last renewal may be 3 s older than theirs, theirs counts for 9 s (`CUT_OFF_AFTER_MS`), and takes 3 s more to be
 * written and read (`RENEW_EVERY_MS`): 3 + 3 s, and some for a slow storage.
 */
export const CONFIRM_MS = 10_000;

/**
 * How it stands now. Unknown is not isolated: whoever sees nothing of anybody, or has nobody to ask, carries on. A peer that answers shows
 * that the host has a network, by which its VMs are reached, too, whether or not that peer reaches the API server. Isolated it
 * is until the API server answers: what was done about it is not taken back by half a piece of good news.
 *
 * Where all have lost the API server, or the whole network has failed, nobody says on storage that he reaches it: all carry on.
 */
export function nextIsolation(
  before: Isolation,
  { apiSilentMs, peers, othersReachApi }: IsolationLook,
  nowMs: number,
): Isolation {
  if (apiSilentMs < CUT_OFF_AFTER_MS) return before.state === 'Connected' ? before : { state: 'Connected' };
  if (before.state === 'Isolated') return before;
  if (peers.known === 0) return { state: 'CutOff', because: 'NoPeers' };
  if (peers.answering > 0) return { state: 'CutOff', because: 'PeersAnswer' };
  if (!othersReachApi) return { state: 'CutOff', because: 'SeesNobody' };
  const sinceMs = before.state === 'Suspected' ? before.sinceMs : nowMs;
  return nowMs - sinceMs < CONFIRM_MS ? { state: 'Suspected', sinceMs } : { state: 'Isolated', sinceMs };
}

/** Whether anybody else is seen to renew, and to say that he reaches the API server. */
export function othersReachApi({ host, leases }: LeasesAnswer): boolean {
  return leases.some(
    (lease) =>
      lease.host !== host &&
      lease.sightings.some(
        ({ changed, silentMs, record }) => changed && silentMs < ALIVE_WITHIN_MS && record?.reachesApi === true,
      ),
  );
}

/** What an isolated host does with its VMs. Undefined: they run on. */
export type IsolationStop = Exclude<HAPolicySpec['isolationResponse'], 'LeavePoweredOn'>;

/** A guest that has not shut down by then is powered off. Source: vSphere's das.isolationShutdownTimeout. */
export const LONGEST_SHUTDOWN_SECONDS = 300;

/** The intent of a VM as an isolated host follows it. What the API server holds stays as it is. */
export function whileIsolated(instance: VirtualMachineInstance, stop: IsolationStop): VirtualMachineInstance {
  const { spec } = instance;
  if (spec.powerState === 'Off') return instance;
  const gracePeriodSeconds = stop === 'PowerOff' ? 0 : Math.min(spec.gracePeriodSeconds, LONGEST_SHUTDOWN_SECONDS);
  return { ...instance, spec: { ...spec, powerState: 'Off', gracePeriodSeconds } };
}

/** Peers that a host asks: so many before it and after it by name, as if all stood in a circle, so that each is asked by as many. */
export const PEERS = 4;

export function peersOf<T extends { readonly name: string }>(host: string, hosts: readonly T[]): T[] {
  const others = hosts.filter(({ name }) => name !== host).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const circle = [...others.filter(({ name }) => name > host), ...others.filter(({ name }) => name < host)];
  const nearest = circle.length <= PEERS ? circle : [...circle.slice(0, PEERS / 2), ...circle.slice(-PEERS / 2)];
  return nearest.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
