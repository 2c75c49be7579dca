import {
  bootTimeMs,
  DatastoreFiles,
  openWatchdog,
  type VerbArgs,
  type VerbResult,
  type Watchdog,
} from '../../host/index.ts';
import { OwnGuests, type Remains } from './own-guests.ts';

/** The lease files of one datastore. Calls reject when it does not answer in time, or is another one. */
export interface LeaseFiles {
  writeLease(args: VerbArgs<'writeLease'>): Promise<unknown>;
  readLeases(args: VerbArgs<'readLeases'>): Promise<VerbResult<'readLeases'>>;
  /** Calls under way fail. */
  close(): void;
}

/** What of Drover runs on the machine. */
export type LeaseGuests = Pick<OwnGuests, 'left' | 'kill' | 'killOfOtherTerms'>;

/** What a lease needs of the machine that it is kept or watched on; the simulation plays it in virtual time. */
export interface LeaseMachine {
  /** By a clock that goes on while the machine sleeps, in milliseconds. */
  readonly bootTimeMs: () => number;
  readonly openFiles: (timeoutMs: number) => LeaseFiles;
  readonly openWatchdog: (path: string) => Promise<Watchdog>;
  /** @param remains what an earlier process has left */
  readonly openGuests: (remains: Remains) => LeaseGuests;
}

/** @param domainRunDirectory where libvirt's QEMU driver keeps its records */
export function thisMachine(domainRunDirectory: string): LeaseMachine {
  const openGuests = (remains: Remains) => new OwnGuests(domainRunDirectory, remains);
  return { bootTimeMs, openFiles: openLeaseFiles, openWatchdog, openGuests };
}

/** In a process of its own, so that a file system that hangs holds up nobody else. */
export function openLeaseFiles(timeoutMs: number): LeaseFiles {
  const files = new DatastoreFiles({ timeoutMs });
  return {
    writeLease: (args) => files.call('writeLease', args),
    readLeases: (args) => files.call('readLeases', args),
    close: () => files.close(),
  };
}
