import type { Logger } from 'pino';
import { type LeaseRecord, type LeasesAnswer, MAX_LEASE_DATASTORES } from '../../api/storage-lease.ts';
import { RENEW_EVERY_MS } from '../../core/ha/storage-lease.ts';
import type { VerbResult } from '../../host/index.ts';
import type { Clock } from '../../runtime/index.ts';
import type { DatastoreAccess, Datastores } from '../datastores/datastores.ts';
import type { LeaseNotes } from './folder.ts';
import type { LeaseFiles, LeaseMachine } from './machine.ts';

export interface LeaseReaderDependencies {
  /** Name of this host. */
  readonly host: string;
  readonly datastores: Pick<Datastores, 'complete'> & {
    access(
      name: string,
    ): Pick<Extract<DatastoreAccess, { ok: true }>, 'ok' | 'root' | 'identity'> | { readonly ok: false };
  };
  /** Names of all Datastores that hosts share. */
  readonly shared: () => readonly string[];
  readonly folder: LeaseNotes;
  readonly machine: Pick<LeaseMachine, 'bootTimeMs' | 'openFiles'>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LeaseReader {
  /** Watches other hosts' leases, and tells this host's keeper where its own lies, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** What it sees now. */
  answer(): LeasesAnswer;
}

/** How many other hosts a host watches, those that follow it by name: each is watched by so many, however many there are. */
const WATCHED = 8;
const READ_TIMEOUT_MS = 5_000;
/** What was not read anew for so long says nothing about now. */
const STALE_MS = 3 * RENEW_EVERY_MS;

/** A file as it was read. Times by this host's clock since boot. */
interface Sight {
  readonly digest: string;
  readonly record?: LeaseRecord;
  /** When the read that first showed these bytes had ended. */
  readonly sinceMs: number;
  /** When the last read that showed them began. */
  readonly readMs: number;
  readonly changed: boolean;
}

interface Watched {
  readonly files: LeaseFiles;
  readonly sights: Map<string, Sight>;
  names: readonly string[];
  busy: boolean;
}

/** Sees by its own clock alone how long others' leases have not changed. */
export function leaseReader(deps: LeaseReaderDependencies): LeaseReader {
  const { host, folder, clock, log } = deps;
  const { bootTimeMs, openFiles } = deps.machine;
  const watched = new Map<string, Watched>();

  /** Whether all Datastores are known. */
  let isComplete = false;

  /** The shared datastores that this host can use now, by identity. */
  const usable = () =>
    deps
      .shared()
      .flatMap((name) => {
        const access = deps.datastores.access(name);
        return access.ok ? [{ root: access.root, identity: access.identity }] : [];
      })
      .toSorted((a, b) => (a.identity < b.identity ? -1 : 1))
      .slice(0, MAX_LEASE_DATASTORES);

  /** Those that an agent before this one has named are looked at until then: the host may be cut off, and has to know whether others are. */
  const places = () => (isComplete ? usable() : folder.readWish().datastores);

  const read = async (identity: string, root: string, each: Watched, hosts: string[]): Promise<void> => {
    const beganMs = bootTimeMs();
    const { names, files } = await each.files.readLeases({ root, identity, hosts });
    each.names = names;
    for (const [name, file] of Object.entries(files))
      each.sights.set(name, seen(each.sights.get(name), file, beganMs, bootTimeMs()));
  };

  const pass = (): void => {
    const now = places();
    const names = followers(
      host,
      [...watched.values()].flatMap((each) => each.names),
    );
    for (const [identity, { files }] of watched) {
      if (now.some((place) => place.identity === identity)) continue;
      files.close();
      watched.delete(identity);
    }
    for (const { root, identity } of now) {
      const each = watched.get(identity) ?? begun(openFiles(READ_TIMEOUT_MS));
      watched.set(identity, each);
      if (each.busy) continue;
      each.busy = true;
      read(identity, root, each, names)
        .catch((err: unknown) => log.debug({ err, root }, "cannot read other hosts' leases"))
        .finally(() => {
          each.busy = false;
        });
    }
  };

  /** A datastore that fails for a moment stays in it: the lease of this boot lies where it was begun in any case. */
  let wish = '';
  const tellKeeper = (): void => {
    const datastores = places();
    const text = JSON.stringify(datastores);
    if (datastores.length === 0 || text === wish) return;
    folder.writeWish({ datastores });
    wish = text;
  };

  return {
    run: async (signal) => {
      // All of them, since what the lease is begun on is what it lies on all through the boot.
      void deps.datastores.complete.then(() => {
        isComplete = true;
      });
      while (!signal.aborted) {
        try {
          pass();
          if (isComplete) tellKeeper();
        } catch (err) {
          log.warn({ err }, 'the storage leases are not looked after; trying again');
        }
        await clock.sleep(RENEW_EVERY_MS / 2, signal).catch(() => undefined);
      }
      for (const { files } of watched.values()) files.close();
    },
    answer: () => {
      const nowMs = bootTimeMs();
      const names = new Set([...watched.values()].flatMap(({ sights }) => [...sights.keys()]));
      const leases = [...names].toSorted().map((name) => ({
        host: name,
        sightings: [...watched].flatMap(([datastore, { sights }]) => {
          const sight = sights.get(name);
          if (sight === undefined || nowMs - sight.readMs > STALE_MS) return [];
          const { record, changed, readMs, sinceMs } = sight;
          return [{ datastore, silentMs: Math.max(0, readMs - sinceMs), changed, ...(record && { record }) }];
        }),
      }));
      return { host, leases };
    },
  };
}

const begun = (files: LeaseFiles): Watched => ({ files, sights: new Map(), names: [], busy: false });

type File = VerbResult<'readLeases'>['files'][string];

function seen(before: Sight | undefined, { digest, record }: File, beganMs: number, endedMs: number): Sight {
  if (before?.digest === digest) return { ...before, readMs: beganMs };
  const changed = before !== undefined;
  return { digest, ...(record && { record }), sinceMs: endedMs, readMs: beganMs, changed };
}

/** The hosts after this one by name, as if they stood in a circle. */
function followers(host: string, names: readonly string[]): string[] {
  const others = [...new Set(names)].filter((name) => name !== host).toSorted();
  return [...others.filter((name) => name > host), ...others.filter((name) => name < host)].slice(0, WATCHED);
}
