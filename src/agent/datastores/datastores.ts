import type { Logger } from 'pino';
import { Gauge } from 'prom-client';
import type { Datastore } from '../../api/datastore.ts';
import type { HostStatus } from '../../api/host.ts';
import { type DatastoreLoss, type FailedLook, lossAfter } from '../../core/ha/datastore-loss.ts';
import { DatastoreError, DatastoreFiles, type VerbResult } from '../../host/index.ts';
import type { SharedInformer } from '../../kube/index.ts';
import type { Clock, Metrics } from '../../runtime/index.ts';
import { judgeIdentity, mayCreateIdentity } from './judge-identity.ts';
import { KnownIdentities } from './known-identities.ts';
import { steadyFreeBytes } from './steady-free.ts';

export interface DatastoresDependencies {
  /** All Datastores. */
  readonly datastores: SharedInformer<Datastore>;
  /** Directory of what must survive a reboot. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** What `Host.status` said of a Datastore before, also through an agent before this one. */
  readonly reportedBefore: (name: string) => HostDatastore | undefined;
  /** Paths of the disks of the host's VMs. A Datastore that holds any of them is looked at more often. */
  readonly diskPaths: () => readonly string[];
  /** How often each directory is looked at. Absent: 10 s. */
  readonly probeIntervalMs?: number;
  /** The same where VMs of this host have disks. Absent: 2 s. */
  readonly probeInUseIntervalMs?: number;
  /** How long a file system may take to answer. Absent: 10 s. */
  readonly timeoutMs?: number;
}

/** Access to a Datastore of this host. */
export type DatastoreAccess =
  | { readonly ok: true; readonly root: string; readonly identity: string; readonly files: DatastoreFiles }
  | { readonly ok: false; readonly message: string };

export type HostDatastore = HostStatus['datastores'][number];

/** What this host sees of all Datastores. */
export interface Datastores {
  /** Looks at all directories, again and again, until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** For Host.status, sorted by name. */
  report(): HostDatastore[];
  /** Resolves when every Datastore was looked at once. */
  readonly complete: Promise<void>;
  /** Whether the host can work on the Datastore now. */
  access(name: string): DatastoreAccess;
  /** The Datastore of a disk that the host has lost. Undefined: it was not lost, or the disk lies on none. */
  lostDatastoreOf(diskPath: string): string | undefined;
  /** Calls the listener when `report()` would say something else. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

type Space = VerbResult<'probe'>;

interface Watched {
  readonly uid: string;
  readonly files: DatastoreFiles;
  looking: boolean;
  /** Something changed while it was looked at. */
  lookAgain: boolean;
  access: DatastoreAccess;
  shown: HostDatastore | undefined;
  loss: DatastoreLoss | undefined;
}

const PROBE_INTERVAL_MS = 10_000;
/** Less than the time after which the process that looks ends for want of work (`DatastoreFiles`): it is not started anew each time. */
const PROBE_IN_USE_INTERVAL_MS = 2_000;
const TIMEOUT_MS = 10_000;

/** Watches the directories of all Datastores; each is looked at alone, so that one that hangs delays no other. */
export async function watchDatastores(deps: DatastoresDependencies): Promise<Datastores> {
  return new DatastoreWatch(deps, await KnownIdentities.load(deps.stateDirectory));
}

class DatastoreWatch implements Datastores {
  readonly #first = Promise.withResolvers<void>();
  readonly complete = this.#first.promise;
  readonly #deps: DatastoresDependencies;
  readonly #known: KnownIdentities;
  readonly #watched = new Map<string, Watched>();
  readonly #listeners = new Set<() => void>();

  constructor(deps: DatastoresDependencies, known: KnownIdentities) {
    this.#deps = deps;
    this.#known = known;
    const watched = this.#watched;
    new Gauge({
      name: 'drover_datastore_available',
      help: '1 while the host can use the Datastore.',
      labelNames: ['datastore'],
      registers: [deps.metrics.registry],
      collect() {
        this.reset();
        for (const [name, { shown }] of watched) this.set({ datastore: name }, shown?.available ? 1 : 0);
      },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { datastores, clock, probeIntervalMs = PROBE_INTERVAL_MS } = this.#deps;
    const stopListening = datastores.onChange(() => void this.#lookAtAll());
    try {
      await datastores.synced(signal);
      void this.#lookAtThoseInUse(signal);
      while (!signal.aborted) {
        await this.#known.keepOnly(new Set(datastores.list().map(({ metadata }) => metadata.uid)));
        void this.#lookAtAll().then(this.#first.resolve);
        await clock.sleep(probeIntervalMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      stopListening();
      for (const { files } of this.#watched.values()) files.close();
    }
  }

  report(): HostDatastore[] {
    return [...this.#watched]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, { shown }]) => (shown === undefined ? [] : [shown]));
  }

  access(name: string): DatastoreAccess {
    return this.#watched.get(name)?.access ?? { ok: false, message: `there is no Datastore ${name}` };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lostDatastoreOf(diskPath: string): string | undefined {
    const holder = this.#deps.datastores.list().find(({ spec }) => liesBelow(diskPath, spec.path));
    const name = holder?.metadata.name;
    return name !== undefined && this.#watched.get(name)?.loss !== undefined ? name : undefined;
  }

  /** What guests wait for is found soon; a directory that nothing uses is worth no process that stays. */
  async #lookAtThoseInUse(signal: AbortSignal): Promise<void> {
    const { datastores, diskPaths, clock, probeInUseIntervalMs = PROBE_IN_USE_INTERVAL_MS } = this.#deps;
    while (!signal.aborted) {
      const paths = diskPaths();
      const inUse = datastores.list().filter(({ spec }) => paths.some((path) => liesBelow(path, spec.path)));
      for (const datastore of inUse) void this.#look(datastore);
      await clock.sleep(probeInUseIntervalMs, signal).catch(() => undefined);
    }
  }

  async #lookAtAll(): Promise<void> {
    const datastores = this.#deps.datastores.list();
    const uids = new Set(datastores.map(({ metadata }) => metadata.uid));
    for (const [name, { uid, files }] of this.#watched) {
      if (uids.has(uid)) continue;
      files.close();
      this.#watched.delete(name);
      this.#tell();
    }
    await Promise.all(datastores.map((datastore) => this.#look(datastore)));
  }

  /** Never rejects: whatever fails is what is reported. */
  async #look(datastore: Datastore): Promise<void> {
    const { name, uid } = datastore.metadata;
    const watched = this.#watched.get(name) ?? this.#begin(name, uid);
    if (watched.looking) {
      watched.lookAgain = true;
      return;
    }
    watched.looking = true;
    watched.lookAgain = false;
    try {
      const { access, shown, failed } = await this.#judge(datastore, watched);
      // It was deleted while its file system took its time.
      if (this.#watched.get(name) !== watched) return;
      watched.access = access;
      watched.loss = failed && lossAfter(watched.loss, failed, this.#deps.clock.now().getTime());
      this.#show(name, watched, { ...shown, ...(watched.loss && { loss: shownLoss(watched.loss) }) });
    } finally {
      watched.looking = false;
      const latest = this.#deps.datastores.get(name);
      if (watched.lookAgain && latest) void this.#look(latest);
    }
  }

  #begin(name: string, uid: string): Watched {
    const files = new DatastoreFiles({ timeoutMs: this.#deps.timeoutMs ?? TIMEOUT_MS });
    const access = { ok: false, message: `Datastore ${name} was not looked at yet` } as const;
    const loss = lossIn(this.#deps.reportedBefore(name));
    const watched: Watched = { uid, files, looking: false, lookAgain: false, access, shown: undefined, loss };
    this.#watched.set(name, watched);
    return watched;
  }

  async #judge(
    { metadata, spec, status }: Datastore,
    { uid, files, shown }: Watched,
  ): Promise<{ access: DatastoreAccess; shown: HostDatastore; failed?: FailedLook }> {
    const { name } = metadata;
    const facts = { shared: spec.shared, fixedId: status?.id, knownId: this.#known.get(uid) };
    try {
      const space = await files.call('probe', { root: spec.path, create: mayCreateIdentity(facts) });
      const verdict = judgeIdentity({ ...facts, foundId: space.identity });
      if (verdict.ok && !spec.shared) await this.#known.remember(uid, verdict.identity);
      const available = verdict.ok || verdict.seen;
      return {
        access: verdict.ok
          ? { ok: true, root: spec.path, identity: verdict.identity, files }
          : { ok: false, message: `Datastore ${name} (${spec.path}): ${verdict.message}` },
        shown: { name, available, message: available ? '' : verdict.message, ...spaceOf(space, shown) },
        ...(!available && { failed: { failure: 'WrongIdentity' } }),
      };
    } catch (error) {
      const message = messageOf(spec.path, error);
      return {
        access: { ok: false, message: `Datastore ${name}: ${message}` },
        shown: { name, available: false, message },
        failed: failedLook(error),
      };
    }
  }

  #show(name: string, watched: Watched, shown: HostDatastore): void {
    const before = watched.shown;
    watched.shown = shown;
    const { available, message, loss } = shown;
    if (before?.available !== available || before.message !== message || before.loss?.reason !== loss?.reason) {
      this.#deps.log[available ? 'info' : 'warn']({ datastore: name, available, loss, message }, 'datastore looked at');
    }
    if (JSON.stringify(before) !== JSON.stringify(shown)) this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function spaceOf(space: Space, shown: HostDatastore | undefined): Partial<HostDatastore> {
  return {
    ...(space.identity !== undefined && { id: space.identity }),
    capacityBytes: space.capacityBytes,
    freeBytes: steadyFreeBytes(shown?.freeBytes, space.freeBytes, space.capacityBytes),
  };
}

/** Host.status holds 1024 characters. */
function messageOf(path: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (error instanceof DatastoreError && error.failure === 'Missing' ? message : `${path}: ${message}`).slice(
    0,
    1024,
  );
}

function failedLook(error: unknown): FailedLook {
  return error instanceof DatastoreError ? { failure: error.failure, code: error.code } : { failure: 'Failed' };
}

function shownLoss({ reason, sinceMs }: DatastoreLoss): NonNullable<HostDatastore['loss']> {
  return { reason, since: new Date(sinceMs).toISOString() };
}

/** An agent that was restarted goes on counting. */
function lossIn(shown: HostDatastore | undefined): DatastoreLoss | undefined {
  return shown?.loss && { reason: shown.loss.reason, sinceMs: Date.parse(shown.loss.since) };
}

function liesBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
