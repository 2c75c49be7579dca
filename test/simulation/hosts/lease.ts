import type { LeaseNotes, LeaseState, LeaseWish } from '../../../src/agent/storage-lease/folder.ts';
import type { LeaseFiles, LeaseMachine } from '../../../src/agent/storage-lease/machine.ts';
import { LeaseRecord } from '../../../src/api/storage-lease.ts';
import type { Process } from '../engine/process.ts';
import type { Timeline } from '../engine/timeline.ts';
import type { SimulatedDatastore } from '../world/datastore.ts';
import { type Domain, startedIn } from './domain.ts';
import type { Hypervisor } from './hypervisor.ts';
import type { SimulatedWatchdog } from './watchdog.ts';

const DIRECTORY = 'leases/';

/** What agent and keeper of one boot know of each other. */
export function leaseNotes(): LeaseNotes {
  let wish: LeaseWish = { datastores: [] };
  let state: LeaseState | undefined;
  let yielded: string | undefined;
  let contactMs: number | undefined;
  return {
    readWish: () => wish,
    writeWish: (wanted) => {
      wish = wanted;
    },
    readState: () => state,
    writeState: (now) => {
      state = now;
    },
    yielded: () => yielded,
    isYielded: (bootID) => yielded === bootID,
    yieldLease: (bootID) => {
      yielded = bootID;
    },
    readContactMs: () => contactMs,
    writeContact: (atMs) => {
      contactMs = atMs;
    },
  };
}

export interface LeaseMachineOptions {
  readonly host: string;
  readonly process: Process;
  readonly timeline: Timeline;
  readonly datastores: readonly SimulatedDatastore[];
  readonly watchdog: SimulatedWatchdog;
  readonly hypervisor: Hypervisor;
}

/** What a process of a host needs to keep and to watch leases. */
export function leaseMachine(options: LeaseMachineOptions): LeaseMachine {
  const { timeline, watchdog, hypervisor } = options;
  const ours = () =>
    [...hypervisor.domains.values()].filter(({ virtualMachineUID }) => virtualMachineUID !== undefined);
  const end = (domains: readonly Domain[]) => {
    for (const domain of domains) hypervisor.stop(domain, 'crashed');
    return domains.map(({ name }) => name);
  };
  return {
    bootTimeMs: () => timeline.nowMs,
    openFiles: (timeoutMs) => leaseFiles(options, timeoutMs),
    openWatchdog: async () => watchdog.open(),
    // What is killed here is gone at once, and leaves nothing behind.
    openGuests: () => ({
      left: () => ours().length,
      kill: () => end(ours()),
      killOfOtherTerms: (bootID) => end(ours().filter((each) => !each.hasArrived && startedIn(each) !== bootID)),
    }),
  };
}

/** A write that is on its way lands, whatever becomes of who sent it. A host that the storage is lost to waits in vain. */
function leaseFiles({ host, process, timeline, datastores }: LeaseMachineOptions, timeoutMs: number): LeaseFiles {
  const access = <T>(root: string, act: (datastore: SimulatedDatastore) => T): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const datastore = datastores.find(({ path }) => path === root);
    const timer = process.clock.setTimeout(() => reject(new Error(`${root} does not answer`)), timeoutMs);
    timeline.after(datastore?.accessMs(host) ?? 0, () => {
      if (datastore?.isAvailableOn(host) !== true) return;
      const result = act(datastore);
      process.deliver(() => {
        timer.cancel();
        resolve(result);
      });
    });
    return promise;
  };
  return {
    writeLease: ({ root, record }) =>
      access(root, (datastore) => datastore.write(host, `${DIRECTORY}${record.host}`, JSON.stringify(record))),
    readLeases: ({ root, hosts }) =>
      access(root, (datastore) => ({
        names: datastore.names(host, DIRECTORY).map((path) => path.slice(DIRECTORY.length)),
        files: Object.fromEntries(hosts.map((name) => [name, fileOf(datastore.read(host, `${DIRECTORY}${name}`))])),
      })),
    close: () => undefined,
  };
}

function fileOf(content: string | undefined) {
  if (content === undefined) return { digest: '' };
  return { digest: content, record: LeaseRecord.parse(JSON.parse(content)) };
}
