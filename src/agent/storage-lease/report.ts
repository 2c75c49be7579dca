import type { HostStatus } from '../../api/host.ts';
import type { Clock } from '../../runtime/index.ts';
import type { Reporting } from '../host-report/host-report.ts';
import type { LeaseNotes, LeaseState } from './folder.ts';

type StorageLease = NonNullable<HostStatus['storageLease']>;

/** How soon Host.status follows a lease that was taken or has lapsed. */
const INTERVAL_MS = 1_000;

/** Another term has begun than the one that this agent serves: all that it knows is of a boot that is over. */
export class TermOverError extends Error {
  constructor(bootID: string, next: string) {
    super(`the lease on storage had lapsed, and the host serves again as ${next}: what was known of ${bootID} is over`);
    this.name = 'TermOverError';
  }
}

/** Follows what the keeper of this host's lease says, for Host.status. */
export function watchLease({
  folder,
  bootID,
  clock,
}: {
  readonly folder: LeaseNotes;
  readonly bootID: string;
  readonly clock: Clock;
}): Reporting<StorageLease | undefined> & {
  /** @throws TermOverError when the host has begun its next term */
  run(signal: AbortSignal): Promise<void>;
} {
  const listeners = new Set<() => void>();
  // What cannot be read is not reported as held: starts are refused meanwhile, and say why.
  const look = (): LeaseState | undefined => {
    try {
      return folder.readState(bootID);
    } catch {
      return undefined;
    }
  };
  let shown = reportOf(look(), bootID);
  return {
    report: () => shown,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    run: async (signal) => {
      while (!signal.aborted) {
        const state = look();
        if (state !== undefined && state.bootID !== bootID) throw new TermOverError(bootID, state.bootID);
        const now = reportOf(state, bootID);
        if (JSON.stringify(now) !== JSON.stringify(shown)) {
          shown = now;
          for (const listener of listeners) listener();
        }
        await clock.sleep(INTERVAL_MS, signal).catch(() => undefined);
      }
    },
  };
}

function reportOf(state: LeaseState | undefined, bootID: string): StorageLease | undefined {
  if (state === undefined || state.bootID !== bootID || state.watchdogMs === 0) return undefined;
  const { selfFenceMs, watchdogMs, lapsed, over, datastores } = state;
  return {
    state: over ? 'Over' : lapsed ? 'Lapsed' : 'Held',
    selfFenceSeconds: Math.ceil(selfFenceMs / 1000),
    watchdogSeconds: Math.ceil(watchdogMs / 1000),
    datastoreIDs: datastores.map(({ identity }) => identity),
  };
}
