import { isDeepStrictEqual } from 'node:util';
import {
  type DeleteOptions,
  type KindRef,
  KubeError,
  type KubeObject,
  keyOfRef,
  type ObjectMeta,
  type ObjectRef,
  type PatchBody,
} from '../../../src/kube/index.ts';
import { EPOCH_MS } from '../engine/process.ts';
import type { Timeline } from '../engine/timeline.ts';
import { type Applied, serverSideApply } from './apply.ts';
import { isJson } from './field-set.ts';
import { servedKind } from './kinds.ts';
import { received } from './shared.ts';

/** One change of an object, as it was stored. */
export interface Commit {
  readonly version: number;
  readonly kind: KindRef;
  readonly key: string;
  /** Absent: it was made. */
  readonly before: KubeObject | undefined;
  /** Absent: it is gone. */
  readonly after: KubeObject | undefined;
  /** As it was last; of one that is gone, with the version of its end. */
  readonly object: KubeObject;
}

const REVISIONS_BUMPED = 1_000_000;
/** How long the garbage collector of Kubernetes takes to see that an owner is gone. */
const COLLECT_MS = 1_000;

/**
 * The API server and etcd, in memory: what is asked happens at once, and whole. How requests and answers travel is the
 * matter of its clients. Objects are never changed, only replaced, and shared with who reads them.
 */
export class ApiServer {
  readonly #timeline: Timeline;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #listeners = new Set<(commit: Commit) => void>();
  /** Kinds whose objects may have owners, by plural. */
  readonly #kinds = new Map<string, KindRef>();
  readonly #restoreListeners = new Set<() => void>();
  #saved: ReadonlyMap<string, ReadonlyMap<string, KubeObject>> | undefined;
  #history: Commit[] = [];
  #version = 1;
  #uids = 0;
  /** Versions before it are compacted away. */
  #oldest = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  get version(): number {
    return this.#version;
  }

  /** Told of every change, in order. Returns how to stop that. */
  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Changes after a version. @throws KubeError when they are compacted away */
  since(version: number): readonly Commit[] {
    if (version < this.#oldest) {
      throw new KubeError({ code: 410, reason: 'Expired', message: `too old resource version: ${version}` });
    }
    if (version === this.#version) return [];
    return this.#history.filter((commit) => commit.version > version);
  }

  /** Forgets the history, as etcd does every few minutes: watches that are behind have to list anew. */
  compact(): void {
    this.#oldest = this.#version;
    this.#history = [];
  }

  /** Takes a backup of etcd. */
  save(): void {
    this.#saved = new Map([...this.#objects].map(([plural, objects]) => [plural, new Map(objects)]));
  }

  /**
   * Brings the last backup back, as Kubernetes asks for: with revisions that go on from far beyond those that were given out, and all
   * before them compacted away (etcdutl snapshot restore --bump-revision --mark-compacted), so that every watch lists anew.
   * @throws Error when there is none
   */
  restore(): void {
    if (this.#saved === undefined) throw new Error('there is no backup of etcd');
    this.#objects.clear();
    for (const [plural, objects] of this.#saved) this.#objects.set(plural, new Map(objects));
    this.#version += REVISIONS_BUMPED;
    this.compact();
    for (const listener of [...this.#restoreListeners]) listener();
  }

  /** Told when a backup was brought back. Returns how to stop that. */
  onRestore(listener: () => void): () => void {
    this.#restoreListeners.add(listener);
    return () => this.#restoreListeners.delete(listener);
  }

  find(kind: KindRef, ref: ObjectRef): KubeObject | undefined {
    return this.#objects.get(kind.plural)?.get(keyOfRef(ref));
  }

  get(kind: KindRef, ref: ObjectRef): KubeObject {
    const found = this.find(kind, ref);
    if (found === undefined) throw notFound(kind, ref);
    return found;
  }

  /** By key in ascending order. */
  list(kind: KindRef): KubeObject[] {
    const objects = this.#objects.get(kind.plural);
    if (objects === undefined) return [];
    return [...objects.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  create(kind: KindRef, sent: KubeObject): KubeObject {
    if (this.find(kind, sent.metadata) !== undefined) {
      const message = `${kind.plural} "${sent.metadata.name}" already exists`;
      throw new KubeError({ code: 409, reason: 'AlreadyExists', message });
    }
    const body = overTheWire(sent, undefined);
    const served = servedKind(kind.plural);
    const { status: _, ...withoutStatus } = body;
    const status = served === undefined ? body.status : served.initialStatus;
    return this.#store(kind, undefined, {
      ...withoutStatus,
      ...(status !== undefined && { status }),
      metadata: {
        ...body.metadata,
        uid: this.#newUid(),
        creationTimestamp: this.#seconds(),
        ...(served && { generation: 1 }),
      },
    });
  }

  update(kind: KindRef, sent: KubeObject): KubeObject {
    const live = this.get(kind, sent.metadata);
    checkPreconditions(kind, live, sent.metadata);
    const body = overTheWire(sent, live);
    const { status: _, ...withoutStatus } = body;
    const isServed = servedKind(kind.plural) !== undefined;
    const status = isServed ? live.status : body.status;
    return this.#replace(kind, live, {
      ...withoutStatus,
      ...(status !== undefined && { status }),
      metadata: { ...body.metadata, ...identityOf(live), ...managedFieldsOf(live) },
    });
  }

  apply(kind: KindRef, sent: KubeObject, how: Omit<Applied, 'body'>): KubeObject {
    const found = this.find(kind, sent.metadata);
    const body = overTheWire(sent, found);
    if (found === undefined && how.subresource !== undefined) throw notFound(kind, body.metadata);
    if (found === undefined && body.metadata.uid !== undefined)
      throw conflict(kind, body.metadata, 'it does not exist');
    const { uid, resourceVersion, name, namespace, ...tracked } = body.metadata;
    if (found !== undefined) checkPreconditions(kind, found, { uid, resourceVersion });
    const live =
      found ??
      this.create(kind, {
        apiVersion: body.apiVersion,
        kind: body.kind,
        metadata: { name, namespace },
        spec: body.spec,
      });
    const part =
      how.subresource === 'status'
        ? { status: body.status }
        : {
            ...(Object.keys(tracked).length > 0 && { metadata: tracked }),
            ...(body.spec !== undefined && { spec: body.spec }),
            ...dataOf(body),
          };
    const applied = serverSideApply(live, { ...how, body: part }, servedKind(kind.plural)?.schema);
    return this.#replace(kind, live, applied);
  }

  patch(kind: KindRef, ref: ObjectRef, patch: PatchBody, subresource?: string): KubeObject {
    if (patch.type !== 'merge') throw new Error('JSON patches are not simulated');
    const live = this.get(kind, ref);
    const body = overTheWire(patch.body, live);
    if (isJson(body) && isJson(body['metadata'])) checkPreconditions(kind, live, body['metadata']);
    const merged = mergePatch(live, body);
    if (!isObject(merged))
      throw new KubeError({ code: 400, reason: 'BadRequest', message: 'the patch makes it no object' });
    const isServed = servedKind(kind.plural) !== undefined;
    const { status: _, ...withoutStatus } = merged;
    const status = isServed && subresource !== 'status' ? live.status : merged.status;
    return this.#replace(kind, live, {
      ...withoutStatus,
      ...(status !== undefined && { status }),
      metadata: { ...merged.metadata, ...identityOf(live) },
    });
  }

  /** @returns whether it was there */
  delete(kind: KindRef, ref: ObjectRef, options: Pick<DeleteOptions, 'uid' | 'resourceVersion'>): boolean {
    const live = this.find(kind, ref);
    if (live === undefined) return false;
    checkPreconditions(kind, live, options);
    if ((live.metadata.finalizers ?? []).length === 0) {
      this.#remove(kind, live);
      return true;
    }
    if (live.metadata.deletionTimestamp !== undefined) return true;
    // A deletion is a change of what is wanted: the API server counts it as a generation.
    const generation = (live.metadata.generation ?? 0) + 1;
    const metadata = {
      ...live.metadata,
      deletionTimestamp: this.#seconds(),
      deletionGracePeriodSeconds: 0,
      generation,
    };
    this.#store(kind, live, { ...live, metadata });
    return true;
  }

  #replace(kind: KindRef, live: KubeObject, wanted: KubeObject): KubeObject {
    const complete = completed(kind, wanted, live);
    if (
      isDeepStrictEqual(live, {
        ...complete,
        metadata: {
          ...complete.metadata,
          resourceVersion: live.metadata.resourceVersion,
          generation: live.metadata.generation,
        },
      })
    )
      return live;
    const isOtherSpec = !isDeepStrictEqual(live.spec, complete.spec);
    const { generation } = live.metadata;
    const metadata = {
      ...complete.metadata,
      ...(generation !== undefined && { generation: isOtherSpec ? generation + 1 : generation }),
    };
    const next = { ...complete, metadata };
    if (live.metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0)
      return this.#store(kind, live, next);
    return this.#remove(kind, next);
  }

  #store(kind: KindRef, before: KubeObject | undefined, wanted: KubeObject): KubeObject {
    const complete = before === undefined ? completed(kind, wanted) : wanted;
    const version = ++this.#version;
    const object = { ...complete, metadata: { ...complete.metadata, resourceVersion: String(version) } };
    const key = keyOfRef(object.metadata);
    let objects = this.#objects.get(kind.plural);
    if (objects === undefined) {
      objects = new Map();
      this.#objects.set(kind.plural, objects);
    }
    objects.set(key, object);
    this.#commit({ version, kind, key, before, after: object, object });
    return object;
  }

  #remove(kind: KindRef, last: KubeObject): KubeObject {
    const key = keyOfRef(last.metadata);
    const before = this.#objects.get(kind.plural)?.get(key);
    this.#objects.get(kind.plural)?.delete(key);
    const version = ++this.#version;
    const object = { ...last, metadata: { ...last.metadata, resourceVersion: String(version) } };
    this.#commit({ version, kind, key, before, after: undefined, object });
    this.#timeline.after(COLLECT_MS, () => this.#collectDependents(last.metadata.uid));
    return object;
  }

  /** Whose owner is gone goes, too. Of those with several owners none are made. */
  #collectDependents(uid: string | undefined): void {
    if (uid === undefined) return;
    for (const kind of this.#kindsWithOwners()) {
      for (const object of this.list(kind)) {
        if (object.metadata.ownerReferences?.some((owner) => owner.uid === uid)) this.delete(kind, object.metadata, {});
      }
    }
  }

  #kindsWithOwners(): KindRef[] {
    return [...this.#kinds.values()];
  }

  #commit(commit: Commit): void {
    if (servedKind(commit.kind.plural) !== undefined) this.#kinds.set(commit.kind.plural, commit.kind);
    // Nobody watches Events here.
    if (commit.kind.plural !== 'events') this.#history.push(commit);
    for (const listener of this.#listeners) listener(commit);
  }

  #newUid(): string {
    return `00000000-0000-4000-8000-${(++this.#uids).toString(16).padStart(12, '0')}`;
  }

  /** metav1.Time has whole seconds. */
  #seconds(): string {
    return new Date(EPOCH_MS + this.#timeline.nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

/** What arrives at the other end, sharing what is as in the object that is there. */
function overTheWire<T>(value: T, live: KubeObject | undefined): T {
  return received(value, live) as T;
}

function isObject(value: unknown): value is KubeObject {
  return isJson(value) && isJson(value['metadata']) && typeof value['kind'] === 'string';
}

function identityOf({ metadata }: KubeObject): Partial<ObjectMeta> {
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation } = metadata;
  return {
    uid,
    creationTimestamp,
    ...(generation !== undefined && { generation }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(deletionGracePeriodSeconds !== undefined && { deletionGracePeriodSeconds }),
  };
}

/** Payload of kinds that have no spec: Secrets, ConfigMaps. */
function dataOf(body: KubeObject): Record<string, unknown> {
  const { apiVersion: _a, kind: _k, metadata: _m, spec: _s, status: _t, ...data } = body;
  return { ...data };
}

function managedFieldsOf({ metadata: { managedFields } }: KubeObject): Pick<ObjectMeta, 'managedFields'> {
  return managedFields === undefined ? {} : { managedFields };
}

/** Empty maps and lists of the metadata are left out, as Go's `omitempty` does. */
function tidy(metadata: ObjectMeta): ObjectMeta {
  const isEmpty = (value: unknown) =>
    value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
  const { name, ...rest } = metadata;
  return { name, ...Object.fromEntries(Object.entries(rest).filter(([, value]) => !isEmpty(value))) };
}

/** With the schema's defaults and without what it does not know. @throws KubeError when it does not fit */
function completed(kind: KindRef, object: KubeObject, live?: KubeObject): KubeObject {
  const served = servedKind(kind.plural);
  const metadata = tidy(object.metadata);
  if (served === undefined) return { ...object, metadata };
  // What is the very same as before has been looked at before.
  const spec = object.spec === live?.spec ? { data: live?.spec, error: undefined } : served.spec.safeParse(object.spec);
  const isOtherStatus = object.status !== undefined && object.status !== live?.status;
  const status = isOtherStatus ? served.status.safeParse(object.status) : undefined;
  const error = spec.error ?? status?.error;
  if (error !== undefined) {
    const message = `${kind.kind} "${object.metadata.name}" is invalid: ${error.message}`;
    throw new KubeError({ code: 422, reason: 'Invalid', message });
  }
  return { ...object, metadata, spec: spec.data, ...(status && { status: status.data }) };
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJson(patch)) return patch;
  const merged: Record<string, unknown> = isJson(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

function checkPreconditions(
  kind: KindRef,
  live: KubeObject,
  wanted: { readonly uid?: unknown; readonly resourceVersion?: unknown },
): void {
  const { uid, resourceVersion } = wanted;
  if (uid !== undefined && uid !== live.metadata.uid) throw conflict(kind, live.metadata, 'the uid is another one');
  if (resourceVersion !== undefined && resourceVersion !== live.metadata.resourceVersion)
    throw conflict(kind, live.metadata, 'the object has been modified');
}

function conflict(kind: KindRef, { name }: ObjectRef, why: string): KubeError {
  const message = `Operation cannot be fulfilled on ${kind.plural} "${name}": ${why}`;
  return new KubeError({ code: 409, reason: 'Conflict', message });
}

function notFound(kind: KindRef, { name }: ObjectRef): KubeError {
  return new KubeError({ code: 404, reason: 'NotFound', message: `${kind.plural} "${name}" not found` });
}
