import type { HostStatus } from '../../api/host.ts';
import type { Clock } from '../../runtime/index.ts';
import type { Reporting } from '../host-report/host-report.ts';
import { Repeat } from '../repeat.ts';
import type { LeaseNotes } from './folder.ts';

type StorageLease = NonNullable<HostStatus['storageLease']>;

/** How soon Host.status follows a lease that was taken or has lapsed. */
const INTERVAL_MS = 2_000;

/** Follows what the keeper of this host's lease says, for Host.status. */
export function watchLease({
  folder,
  bootID,
  clock,
}: {
  readonly folder: LeaseNotes;
  readonly bootID: string;
  readonly clock: Clock;
}): Reporting<StorageLease | undefined> & { run(signal: AbortSignal): Promise<void> } {
  const listeners = new Set<() => void>();
  let shown = reportOf(folder, bootID);
  const repeat = new Repeat({
    intervalMs: INTERVAL_MS,
    clock,
    pass: async () => {
      const now = reportOf(folder, bootID);
      if (JSON.stringify(now) === JSON.stringify(shown)) return;
      shown = now;
      for (const listener of listeners) listener();
    },
    // What cannot be read is not reported as held: starts are refused meanwhile, and say why.
    onError: () => {
      shown = undefined;
    },
  });
  return {
    report: () => shown,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    run: (signal) => repeat.run(signal),
  };
}

function reportOf(folder: LeaseNotes, bootID: string): StorageLease | undefined {
  const state = folder.readState(bootID);
  if (state === undefined || state.watchdogMs === 0) return undefined;
  const { selfFenceMs, watchdogMs, lapsed, datastores } = state;
  return {
    state: lapsed ? 'Lapsed' : 'Held',
    selfFenceSeconds: Math.ceil(selfFenceMs / 1000),
    watchdogSeconds: Math.ceil(watchdogMs / 1000),
    datastoreIDs: datastores.map(({ identity }) => identity),
  };
}
