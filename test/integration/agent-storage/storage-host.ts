import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { type Datastores, type HostDatastore, watchDatastores } from '../../../src/agent/datastores/datastores.ts';
import { imagesController } from '../../../src/agent/images/controller.ts';
import { type AgentInformers, agentInformers } from '../../../src/agent/informers.ts';
import { volumesController } from '../../../src/agent/volumes/controller.ts';
import type { VolumesDependencies } from '../../../src/agent/volumes/deps.ts';
import { CLEANUP_FINALIZER, VOLUME_PROTECTION_FINALIZER } from '../../../src/api/common/names.ts';
import { Datastore } from '../../../src/api/datastore.ts';
import { Image, type ImageStatus } from '../../../src/api/image.ts';
import { Volume, type VolumeStatus } from '../../../src/api/volume.ts';
import {
  type CallRecord,
  type KindRef,
  KubeClient,
  type KubeConnection,
  KubeError,
  type KubeObject,
} from '../../../src/kube/index.ts';
import { createMetrics, systemClock } from '../../../src/runtime/index.ts';
import { eventually } from '../eventually.ts';

/** Silent, unless somebody looks for a fault. */
export const testLog: Logger = pino({ level: process.env['DROVER_LOG_LEVEL'] ?? 'silent' });

export const apiVersion = 'drover.dev/v1alpha1';
const NAMESPACE = 'default';

/** A name that no other test has. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}

/** A directory that a datastore may lie in; QEMU's user may pass through it. */
export function testDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'drover-storage-'));
  chmodSync(path, 0o711);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** No domain is ever asked for where there is none. */
export const noLibvirt: VolumesDependencies['libvirt'] = {
  call: () => Promise.reject(new Error('this test has no libvirt')),
};

export interface StorageHostOptions {
  connection: KubeConnection;
  /** Absent: a new name. */
  host?: string;
  /** Absent: a new directory. */
  stateDirectory?: string;
  libvirt?: VolumesDependencies['libvirt'];
  timeoutMs?: number;
  /** Paths of disks of its VMs. Absent: none. */
  diskPaths?: readonly string[];
  /** What Host.status said of a Datastore before. Absent: nothing. */
  reportedBefore?: (name: string) => HostDatastore | undefined;
}

/** The storage half of one agent, in this process, as `runAgent` composes it. */
export class StorageHost {
  readonly host: string;
  readonly client: KubeClient;
  readonly informers: AgentInformers;
  readonly datastores: Datastores;
  /** Every write that it made. */
  readonly writes: CallRecord[];
  readonly stop: () => Promise<void>;

  private constructor(parts: Pick<StorageHost, 'host' | 'client' | 'informers' | 'datastores' | 'writes' | 'stop'>) {
    this.host = parts.host;
    this.client = parts.client;
    this.informers = parts.informers;
    this.datastores = parts.datastores;
    this.writes = parts.writes;
    this.stop = parts.stop;
  }

  static async start(options: StorageHostOptions): Promise<StorageHost> {
    const { connection, libvirt = noLibvirt, timeoutMs = 30_000 } = options;
    const host = options.host ?? uniqueName('host');
    const state = testDirectory();
    const writes: CallRecord[] = [];
    const onCall = (call: CallRecord) => {
      if (!['get', 'list', 'watch'].includes(call.verb)) writes.push(call);
    };
    const client = new KubeClient({ connection, userAgent: 'drover-agent', onCall });
    const metrics = createMetrics();
    const informers = agentInformers(client, host, systemClock, testLog);
    const common = { host, client, libvirt, clock: systemClock, log: testLog, metrics, retryMs: 100 };
    const stateDirectory = options.stateDirectory ?? state.path;
    const datastores = await watchDatastores({
      reportedBefore: options.reportedBefore ?? (() => undefined),
      diskPaths: () => options.diskPaths ?? [],
      probeInUseIntervalMs: 100,
      ...common,
      datastores: informers.datastores,
      stateDirectory,
      probeIntervalMs: 200,
      timeoutMs,
    });
    const volumes = volumesController({ ...common, ...informers, datastores });
    const images = imagesController({ ...common, images: informers.images, datastores });
    const stop = new AbortController();
    const informing = Object.values(informers).map((informer) => informer.run(stop.signal));
    await Promise.all(Object.values(informers).map((informer) => informer.synced()));
    const running = [
      ...informing,
      datastores.run(stop.signal),
      ...[volumes.controller, images].map((controller) => controller.run(stop.signal, stop.signal)),
    ];
    const end = async (): Promise<void> => {
      stop.abort();
      await volumes.close();
      await Promise.all(running);
      await client.close();
      state.remove();
    };
    return new StorageHost({ host, client, informers, datastores, writes, stop: end });
  }

  writesTo(resource: string): number {
    return this.writes.filter((call) => call.resource === resource).length;
  }
}

interface NewMetadata {
  name: string;
  namespace?: string;
  finalizers?: string[];
}

/** What users and the operator do, for the tests of one file. */
export class Administrator {
  readonly client: KubeClient;
  readonly #undo: (() => Promise<unknown> | unknown)[] = [];

  constructor(client: KubeClient) {
    this.client = client;
  }

  /** A Datastore on a directory; the operator has fixed its identity once a host of it has seen it. */
  async datastore(
    path: string,
    on: { readonly hosts: readonly StorageHost[]; readonly shared?: boolean },
  ): Promise<string> {
    const { shared = false } = on;
    const name = uniqueName('ds');
    await this.create(Datastore, { metadata: { name }, spec: { type: 'Directory', path, shared } });
    for (const host of on.hosts) {
      const seen = await eventually(`${host.host} sees ${name}`, () => {
        const entry = host.datastores.report().find((report) => report.name === name);
        return entry?.available && entry;
      });
      const current = await this.client.get<Datastore>(Datastore, { name });
      if (shared && current.status?.id === undefined) await this.operatorWrites(Datastore, { name }, { id: seen.id });
      await eventually(`${host.host} can use ${name}`, () => host.datastores.access(name).ok);
    }
    return name;
  }

  /** Makes a Volume, and assigns it to `host` if one is named. */
  async volume(spec: object, host?: string): Promise<string> {
    const name = uniqueName('vol');
    const finalizers = [CLEANUP_FINALIZER, VOLUME_PROTECTION_FINALIZER];
    await this.create(Volume, { metadata: { name, namespace: NAMESPACE, finalizers }, spec });
    if (host !== undefined) await this.assign(name, host);
    return name;
  }

  async image(spec: object, host: string): Promise<string> {
    const name = uniqueName('img');
    await this.create(Image, { metadata: { name, namespace: NAMESPACE }, spec });
    await this.operatorWrites(Image, { name, namespace: NAMESPACE }, { host });
    return name;
  }

  async assign(volume: string, host: string): Promise<void> {
    await this.operatorWrites(Volume, { name: volume, namespace: NAMESPACE }, { host });
  }

  async get(volume: string): Promise<Volume> {
    return await this.client.get<Volume>(Volume, { name: volume, namespace: NAMESPACE });
  }

  async patchSpec(volume: string, spec: object): Promise<void> {
    await this.client.patch(Volume, { name: volume, namespace: NAMESPACE }, { type: 'merge', body: { spec } });
  }

  /** Deletes a Volume; its protection goes at once or later with `unprotect`. */
  async delete(volume: string, { protect = false } = {}): Promise<void> {
    await this.client.delete(Volume, { name: volume, namespace: NAMESPACE });
    if (!protect) await this.unprotect(volume);
  }

  async unprotect(volume: string): Promise<void> {
    await this.#finalizers(volume, [CLEANUP_FINALIZER]);
  }

  async volumeWhere(
    volume: string,
    what: string,
    matches: (status: VolumeStatus) => boolean,
    timeoutMs = 60_000,
  ): Promise<VolumeStatus> {
    let last: VolumeStatus | undefined;
    try {
      return await eventually(
        `${volume} is ${what}`,
        async () => {
          last = (await this.get(volume)).status;
          return last !== undefined && matches(last) ? last : undefined;
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`${volume} should be ${what}; its status is ${JSON.stringify(last)}`, { cause: error });
    }
  }

  async volumePhase(volume: string, phase: VolumeStatus['phase']): Promise<VolumeStatus> {
    return await this.volumeWhere(volume, String(phase), (status) => status.phase === phase);
  }

  async volumeReason(volume: string, reason: string): Promise<VolumeStatus> {
    const matches = ({ conditions }: VolumeStatus) =>
      conditions.some((each) => each.type === 'Ready' && each.reason === reason);
    return await this.volumeWhere(volume, reason, matches);
  }

  async imagePhase(image: string, phase: ImageStatus['phase']): Promise<ImageStatus> {
    return await eventually(`${image} is ${phase}`, async () => {
      const { status } = await this.client.get<Image>(Image, { name: image, namespace: NAMESPACE });
      return status?.phase === phase && status;
    });
  }

  async operatorWrites(kind: KindRef, metadata: { name: string; namespace?: string }, status: object): Promise<void> {
    const object = { apiVersion, kind: kind.kind, metadata, status };
    await this.client.applyStatus(kind, object, { fieldManager: 'test-operator', force: true });
  }

  async create<T extends KubeObject>(kind: KindRef<T>, object: { metadata: NewMetadata; spec: object }): Promise<T> {
    const made = await this.client.create<T>(kind, { apiVersion, kind: kind.kind, ...object });
    this.#undo.push(async () => {
      await this.client
        .patch(kind, made.metadata, { type: 'merge', body: { metadata: { finalizers: null } } })
        .catch(unlessGone);
      await this.client.delete(kind, made.metadata);
    });
    return made;
  }

  /** Calls it when everything else is undone. */
  cleanUp(undo: () => Promise<unknown> | unknown): void {
    this.#undo.unshift(undo);
  }

  async undoAll(): Promise<void> {
    for (const undo of this.#undo.reverse()) await undo();
  }

  async #finalizers(volume: string, finalizers: readonly string[]): Promise<void> {
    const body = { metadata: { finalizers } };
    await this.client.patch(Volume, { name: volume, namespace: NAMESPACE }, { type: 'merge', body });
  }
}

function unlessGone(error: unknown): void {
  if (!(error instanceof KubeError) || !error.isNotFound()) throw error;
}

/** Names in the folder of the namespace's Volumes, hidden ones too; none when there is no folder. */
export function volumeFilesIn(root: string): string[] {
  mkdirSync(join(root, 'volumes', NAMESPACE), { recursive: true });
  return readdirSync(join(root, 'volumes', NAMESPACE)).sort();
}
