import type { LeaseRecord, LeasesAnswer } from '../../api/storage-lease.ts';
import { isLaterTerm } from './term.ts';

/**
 * By how much the clocks of the host, of its watchdog and of the reader may differ in rate. Source: NTP slews by 500 ppm at most
 * (adjtimex(2)) and crystals are off by less than 100 ppm; 2 % is more than an order of magnitude above all of them together.
 */
const CLOCK_RATE_ERROR = 0.02;
/** By how much more than it says a watchdog may wait. Source: Intel's iTCO counts in steps of 0.6 s, and rounds up. */
const WATCHDOG_GRAIN_MS = 1_000;

/** How often a host renews its lease. */
export const RENEW_EVERY_MS = 2_000;
/** A host whose lease was renewed within three intervals lives; a second more for the reader's own pace. */
export const ALIVE_WITHIN_MS = 3 * RENEW_EVERY_MS + 1_000;

/** Times that a host has bound itself to, in milliseconds. */
export type LeaseTimes = Pick<LeaseRecord, 'selfFenceMs' | 'watchdogMs'>;

/**
 * How long ONE reader must have seen no change, by its own monotonic clock, until no guest of that boot runs any more, in milliseconds.
 *
 * Let s be the moment at which the host began its last write that it saw succeed (S: self-fence time, W: watchdog's time).
 * 1. The host's keeper feeds the watchdog only after it has found that it is before s + S, or that no guest is left. If
 *    it is paused between finding and feeding, for less than W or it would be reset, that feeding comes at s + S + W at the latest.
 *    From there on it feeds only once no guest is left. So at s + S + 2W the guests are dead, or the host was reset.
 * 2. The reader's count begins when a read that showed the record has ended, which is after s. It is looked at when a read
 *    begins that still shows the same record. A later write that the host counts has ended before s + S; that read, which
 *    begins later, would have shown it. A write that lands after that was not counted, and merely makes the reader wait longer.
 * 3. Clocks are compared nowhere; only rates matter, and the steps in which a watchdog counts.
 * What it rests on stands in docs/adr/0014-storage-lease.md.
 */
export function lapsedAfterMs({ selfFenceMs, watchdogMs }: LeaseTimes): number {
  return Math.ceil((selfFenceMs + 2 * (watchdogMs + WATCHDOG_GRAIN_MS)) * (1 + CLOCK_RATE_ERROR));
}

/** What is known of a host's lease on storage. */
export type LeaseView =
  /** Somebody has seen it renewed just now: the host's guests run, or may. */
  | { readonly kind: 'Alive'; readonly by: string }
  /** Not renewed, but guests may still run. `remainingMs`: until they cannot. */
  | { readonly kind: 'Silent'; readonly by: string; readonly remainingMs: number }
  /** No guest of that boot runs any more, for ever. */
  | { readonly kind: 'Lapsed'; readonly by: string; readonly silentMs: number }
  /** The same: its keeper has begun the next term, and had found no guest left before it did. */
  | { readonly kind: 'Followed'; readonly by: string; readonly next: string }
  /** Nothing follows from what was seen. */
  | { readonly kind: 'Unknown'; readonly message: string };

/**
 * What follows from what others see of a host's lease. One that has seen it renewed is believed against all others: only a
 * reader that lies or is blind can say less than there is.
 */
export function judgeLease(host: string, bootID: string, answers: readonly LeasesAnswer[]): LeaseView {
  const views = answers
    .filter((answer) => answer.host !== host)
    .toSorted((a, b) => (a.host < b.host ? -1 : 1))
    .map((answer) => viewOf(host, bootID, answer));
  const first = (kind: LeaseView['kind']) => views.find((view) => view.kind === kind);
  return (
    first('Alive') ??
    longest(views) ??
    first('Unknown') ?? {
      kind: 'Unknown',
      message: 'no other host that is online was there to look at its storage lease',
    }
  );
}

/** Each reader's count is a proof by itself; the one that has looked longest is the first to have it. */
function longest(views: readonly LeaseView[]): LeaseView | undefined {
  const silent = views.filter((view) => view.kind === 'Silent').toSorted((a, b) => a.remainingMs - b.remainingMs);
  return views.find((view) => view.kind === 'Lapsed' || view.kind === 'Followed') ?? silent[0];
}

function viewOf(host: string, bootID: string, { host: by, leases }: LeasesAnswer): LeaseView {
  const sightings = leases.find((lease) => lease.host === host)?.sightings ?? [];
  const ofBoot = sightings.filter(({ record }) => record?.host === host && record.bootID === bootID);
  const [first] = ofBoot;
  const next = sightings.find(({ record }) => record?.host === host && isLaterTerm(record.bootID, bootID))?.record;
  if (next !== undefined) return { kind: 'Followed', by, next: next.bootID };
  if (first?.record === undefined) return { kind: 'Unknown', message: `${by} sees no storage lease of boot ${bootID}` };
  if (ofBoot.some(({ changed, silentMs }) => changed && silentMs < ALIVE_WITHIN_MS)) return { kind: 'Alive', by };
  const { record } = first;
  if (record.watchdogMs === 0)
    return {
      kind: 'Unknown',
      message: 'no watchdog stands behind its storage lease, so that its silence proves nothing',
    };
  if (!ofBoot.every((other) => other.record !== undefined && saysTheSame(record, other.record)))
    return { kind: 'Unknown', message: `${by} sees records of its storage lease that contradict each other` };
  const onEach = record.datastores.map((identity) => sightings.find(({ datastore }) => datastore === identity));
  const blind = record.datastores.filter((_, index) => onEach[index] === undefined);
  if (blind.length > 0)
    return { kind: 'Unknown', message: `${by} does not see all datastores that it is on (${blind.join(', ')})` };
  // A renewal on any of them counts, so that all must have been silent.
  const silentMs = Math.min(...onEach.map((sighting) => sighting?.silentMs ?? 0));
  const remainingMs = lapsedAfterMs(record) - silentMs;
  return remainingMs > 0 ? { kind: 'Silent', by, remainingMs } : { kind: 'Lapsed', by, silentMs };
}

function saysTheSame(one: LeaseRecord, other: LeaseRecord): boolean {
  return (
    one.selfFenceMs === other.selfFenceMs &&
    one.watchdogMs === other.watchdogMs &&
    one.datastores.join() === other.datastores.join()
  );
}

/** What the process that keeps a host's lease goes by. Times in milliseconds by one clock that does not stop in the host's sleep. */
export interface KeeperState {
  /** Guests may run until then. Absent: it has held no lease in this term, and promised nothing to anybody. */
  readonly heldUntilMs?: number;
  /** It could not renew in time. That lasts for this term: others may have acted upon it. */
  readonly lapsed: boolean;
}

/** What it does next. */
export interface KeeperStep {
  readonly state: KeeperState;
  /** The watchdog may be fed. */
  readonly feed: boolean;
  /** Drover's guests on this host are to be killed now, all of them: what is proven is proven of the whole term. */
  readonly kill: boolean;
}

/**
 * Decides by what is known at this moment; the caller feeds at once.
 * @param guests Drover's guests that run here, what may be one, and those that were killed and whose last writes may yet reach the
 * storage. Asked for only after the lease has lapsed.
 */
export function keeperStep(state: KeeperState, nowMs: number, guests: () => number): KeeperStep {
  if (!state.lapsed && (state.heldUntilMs === undefined || nowMs < state.heldUntilMs))
    return { state, feed: true, kill: false };
  const left = guests();
  return { state: { ...state, lapsed: true }, feed: left === 0, kill: left > 0 };
}

/** After a write that was seen to succeed. One that lands after the lapse takes nothing back. */
export function renewed(state: KeeperState, startedAtMs: number, nowMs: number, selfFenceMs: number): KeeperState {
  const step = keeperStep(state, nowMs, () => 0);
  if (step.state.lapsed) return step.state;
  return { lapsed: false, heldUntilMs: Math.max(state.heldUntilMs ?? 0, startedAtMs + selfFenceMs) };
}
