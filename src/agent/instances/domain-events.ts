import type { Logger } from 'pino';
import type { Stop, StopReason } from '../../core/instance/index.ts';
import {
  AgentState,
  CrashedDetail,
  CrashedReason,
  DomainState,
  type EventOf,
  type Libvirt,
  LifecycleEvent,
  PausedReason,
  RunningReason,
  StartedDetail,
  StoppedDetail,
  SuspendedDetail,
} from '../../libvirt/index.ts';
import type { Clock } from '../../runtime/index.ts';
import type { JobParameters } from '../migrations/progress.ts';
import type { DomainEntry, DomainTable } from './domain-table.ts';
import type { StartUnderWay } from './start-domain.ts';

export interface DomainEventsOptions {
  readonly libvirt: Libvirt;
  readonly table: DomainTable;
  readonly clock: Clock;
  readonly log: Logger;
  /** Starts under way, by UUID of the domain: their events say what the reply to the start will say. */
  readonly starting: ReadonlyMap<string, StartUnderWay>;
  /** A domain of Drover stopped; told just before the table shows that it is gone. */
  readonly onStop: (entry: DomainEntry, stop: Stop) => void;
  /** A job of a domain (by UUID) has ended, with these figures. */
  readonly onJobCompleted: (uuid: string, params: JobParameters) => void;
  /** Memory of a domain of this name begins to come from another host. */
  readonly onReceiving: (name: string) => void;
  /** Something happened that the table cannot follow: a listing is needed. */
  readonly onUnclear: () => void;
}

/** A guest that panics is paused first, and said to have crashed some milliseconds later. */
const PAUSE_SETTLES_MS = 500;

/** Keeps the table up to date from libvirt's events. @returns a function that ends it. */
export async function followDomainEvents(options: DomainEventsOptions): Promise<() => void> {
  const ends = [
    await options.libvirt.events.on('lifecycle', (event) => onLifecycle(options, event)),
    await options.libvirt.events.on('agentLifecycle', (event) => onAgentLifecycle(options, event)),
    await options.libvirt.events.on('jobCompleted', ({ dom, params }) => options.onJobCompleted(dom.uuid, params)),
  ];
  return () => {
    for (const end of ends) end();
  };
}

function onLifecycle(options: DomainEventsOptions, { dom, event, detail }: EventOf<'lifecycle'>): void {
  const { table, starting, onUnclear, log } = options;
  const entry = table.byUuid(dom.uuid);
  const isKnown = entry !== undefined && entry.id === dom.id;
  const underWay = starting.get(dom.uuid);
  log.debug({ domain: dom.name, event, detail }, 'domain event');
  switch (event) {
    case LifecycleEvent.STARTED:
      // Its memory is still on its way here: nothing is asked of it before it runs, which another event tells.
      if (detail === StartedDetail.MIGRATED) options.onReceiving(dom.name);
      // Known or not: one that was listed while libvirt was starting it is in another state now.
      else if (underWay === undefined) onUnclear();
      return;
    case LifecycleEvent.RESUMED:
      if (isKnown) table.put({ ...entry, state: DomainState.RUNNING, reason: RunningReason.UNPAUSED });
      else if (underWay === undefined) onUnclear();
      return;
    case LifecycleEvent.SUSPENDED:
      if (!isKnown) onUnclear();
      else if (detail === SuspendedDetail.PAUSED) readPause(options, entry);
      else table.put({ ...entry, state: DomainState.PAUSED, reason: pausedReasonOf(detail) });
      return;
    case LifecycleEvent.CRASHED:
      // A guest that has a crash kernel loaded goes on by itself: it writes its dump, and boots.
      if (detail === CrashedDetail.CRASHLOADED) return;
      if (isKnown) table.put({ ...entry, state: DomainState.CRASHED, reason: CrashedReason.PANICKED });
      else onUnclear();
      return;
    case LifecycleEvent.STOPPED:
      if (underWay !== undefined) underWay.stopped = true;
      void onStopped(options, dom.uuid, detail);
      return;
    case LifecycleEvent.DEFINED:
    case LifecycleEvent.UNDEFINED:
      onUnclear();
      return;
  }
}

/** What it was paused for is asked a moment later: it would be resumed, and a guest that has panicked must not be. */
function readPause({ table, clock, log, onUnclear }: DomainEventsOptions, { uuid, name }: DomainEntry): void {
  clock.setTimeout(() => {
    table.isGone(uuid).then(
      (isGone) => isGone && onUnclear(),
      (err: unknown) => {
        log.info({ domain: name, err }, 'cannot tell why a domain was paused; all are listed anew');
        onUnclear();
      },
    );
  }, PAUSE_SETTLES_MS);
}

/**
 * The event does not say which start of the domain it ends, so libvirt is asked: a domain that is there again is
 * another one, whose start nobody told us yet, or our own.
 */
async function onStopped(
  { table, clock, log, onStop, onUnclear }: DomainEventsOptions,
  uuid: string,
  detail: number,
): Promise<void> {
  const at = clock.now().toISOString();
  const entry = table.byUuid(uuid);
  if (entry === undefined) {
    // A listing under way may have met it before it stopped.
    table.remove(uuid);
    onUnclear();
    return;
  }
  try {
    if (!(await table.isGone(uuid))) return onUnclear();
    if (entry.identity !== undefined) onStop(entry, { at, reason: stopReasonOf(detail) });
    table.remove(uuid);
  } catch (err) {
    log.info({ domain: entry.name, err }, 'cannot tell whether a domain that stopped is gone; all are listed anew');
    onUnclear();
  }
}

function onAgentLifecycle({ table }: DomainEventsOptions, { dom, state }: EventOf<'agentLifecycle'>): void {
  const entry = table.byUuid(dom.uuid);
  if (entry?.id === dom.id) table.put({ ...entry, guestAgentConnected: state === AgentState.CONNECTED });
}

function stopReasonOf(detail: number): StopReason {
  switch (detail) {
    case StoppedDetail.SHUTDOWN:
      return 'Shutdown';
    case StoppedDetail.DESTROYED:
      return 'Destroyed';
    case StoppedDetail.CRASHED:
    // A QEMU that died: the event calls it failed, libvirt's log and the state of the domain call it crashed.
    case StoppedDetail.FAILED:
      return 'Crashed';
    case StoppedDetail.MIGRATED:
      return 'Migrated';
    case StoppedDetail.SAVED:
      return 'Saved';
    default:
      return 'Failed';
  }
}

/** The event's detail in the words of the domain's state. */
function pausedReasonOf(detail: number): number {
  switch (detail) {
    case SuspendedDetail.MIGRATED:
      return PausedReason.MIGRATION;
    case SuspendedDetail.IOERROR:
      return PausedReason.IOERROR;
    case SuspendedDetail.WATCHDOG:
      return PausedReason.WATCHDOG;
    case SuspendedDetail.FROM_SNAPSHOT:
      return PausedReason.FROM_SNAPSHOT;
    case SuspendedDetail.POSTCOPY:
      return PausedReason.POSTCOPY;
    case SuspendedDetail.POSTCOPY_FAILED:
      return PausedReason.POSTCOPY_FAILED;
    default:
      return PausedReason.UNKNOWN;
  }
}
