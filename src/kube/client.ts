import type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  ListOptions,
  ObjectList,
  PatchBody,
  PatchOptions,
  RawRequest,
  Verb,
  WatchOptions,
  WriteOptions,
} from './call.ts';
import { type Call, Caller, type KubeClientOptions } from './caller.ts';
import { KubeError } from './error.ts';
import { apiVersionOf, type KindRef, type KubeObject, keyOfRef, type ObjectRef } from './object.ts';
import { Transport } from './transport.ts';
import { collectionPath, objectPath, withQuery } from './url.ts';
import { readWatchEvents, type WatchEvent } from './watch.ts';
import type { WriteGuard } from './write-guard.ts';

/** JSON is YAML; the server has no media type of its own for JSON applies. */
const APPLY_TYPE = 'application/apply-patch+yaml';

/** Calls of one API server over kept-alive connections. Every failure of a call is a `KubeError`. */
export class KubeClient {
  readonly #options: KubeClientOptions;
  readonly #transport: Transport;
  readonly #caller: Caller;

  /** `shared` is for {@link guardedBy}: the same connections with other rules. */
  constructor(options: KubeClientOptions, shared?: { transport: Transport; guard: WriteGuard }) {
    this.#options = options;
    this.#transport = shared?.transport ?? new Transport(options.connection, options.userAgent, options.watchSilenceMs);
    this.#caller = new Caller(this.#transport, options, shared?.guard);
  }

  /** The same client over the same connections, whose writes need the guard's consent. */
  guardedBy(guard: WriteGuard): KubeClient {
    return new KubeClient(this.#options, { transport: this.#transport, guard });
  }

  async get<T extends KubeObject>(kind: KindRef<T>, ref: ObjectRef, options: CallOptions = {}): Promise<T> {
    const path = objectPath(kind, ref);
    return await this.#caller.read<T>({ ...named('get', kind, ref), method: 'GET', path }, options);
  }

  async list<T extends KubeObject>(kind: KindRef<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const page = await this.#caller.read<WireList<T>>(
      {
        verb: 'list',
        resource: kind.plural,
        method: 'GET',
        path: collectionPath(kind, options.namespace),
        query: {
          labelSelector: options.labelSelector,
          fieldSelector: options.fieldSelector,
          limit: options.limit,
          continue: options.continueToken,
          resourceVersion: options.resourceVersion,
        },
      },
      options,
    );
    // The API server leaves kind and apiVersion out of the items of a typed list.
    const apiVersion = apiVersionOf(kind);
    const items = page.items ?? [];
    for (const item of items) {
      item.apiVersion ??= apiVersion;
      item.kind ??= kind.kind;
    }
    const { resourceVersion = '', continue: continueToken } = page.metadata;
    return { items, resourceVersion, ...(continueToken && { continueToken }) };
  }

  async create<T extends KubeObject>(kind: KindRef<T>, object: KubeObject, options: WriteOptions = {}): Promise<T> {
    const path = collectionPath(kind, object.metadata.namespace);
    return await this.#write<T>(
      { ...named('create', kind, object.metadata), method: 'POST', path, body: object },
      options,
    );
  }

  /** Replaces the whole object; `metadata.resourceVersion`, when set, is a precondition. */
  async update<T extends KubeObject>(kind: KindRef<T>, object: NoInfer<T>, options: WriteOptions = {}): Promise<T> {
    const path = objectPath(kind, object.metadata);
    return await this.#write<T>(
      { ...named('update', kind, object.metadata), method: 'PUT', path, body: object },
      options,
    );
  }

  /** Server-side apply. `metadata.resourceVersion` and `metadata.uid`, when set, are preconditions. */
  async apply<T extends KubeObject>(kind: KindRef<T>, object: KubeObject, options: ApplyOptions): Promise<T> {
    return await this.#apply<T>(kind, object, options, undefined);
  }

  async applyStatus<T extends KubeObject>(kind: KindRef<T>, object: KubeObject, options: ApplyOptions): Promise<T> {
    return await this.#apply<T>(kind, object, options, 'status');
  }

  async patch<T extends KubeObject>(
    kind: KindRef<T>,
    ref: ObjectRef,
    patch: PatchBody,
    options: PatchOptions = {},
  ): Promise<T> {
    return await this.#write<T>(
      {
        ...named('patch', kind, ref, options.subresource),
        method: 'PATCH',
        path: objectPath(kind, ref, options.subresource),
        query: { fieldManager: options.fieldManager },
        body: patch.body,
        contentType: patch.type === 'json' ? 'application/json-patch+json' : 'application/merge-patch+json',
      },
      options,
    );
  }

  /** True when the server accepted the deletion, false when the object was already gone. */
  async delete(kind: KindRef, ref: ObjectRef, options: DeleteOptions = {}): Promise<boolean> {
    const { uid, resourceVersion, propagation, gracePeriodSeconds } = options;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(propagation && { propagationPolicy: propagation }),
      ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
      ...((uid || resourceVersion) && { preconditions: { uid, resourceVersion } }),
      ...(options.dryRun && { dryRun: ['All'] }),
    };
    try {
      const path = objectPath(kind, ref);
      await this.#caller.write({ ...named('delete', kind, ref), method: 'DELETE', path, body }, options);
      return true;
    } catch (error) {
      if (error instanceof KubeError && error.isNotFound()) return false;
      throw error;
    }
  }

  /**
   * Events after `resourceVersion`, until the server closes the watch (then the iteration ends; go on from the last
   * version seen) or it breaks (KubeError; `isExpired()` says that the version is too old).
   */
  async *watch<T extends KubeObject>(
    kind: KindRef<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const what = `watch ${kind.plural}`;
    const startedMs = performance.now();
    const path = withQuery(collectionPath(kind, options.namespace), {
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: options.resourceVersion,
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      timeoutSeconds: options.timeoutSeconds ?? 300 + Math.floor(Math.random() * 300),
    });
    let code = 0;
    try {
      const chunks = this.#transport.stream({ what, method: 'GET', path }, options.signal);
      yield* readWatchEvents<T>(what, chunks);
      code = 200;
    } catch (error) {
      if (error instanceof KubeError) code = error.code;
      throw error;
    } finally {
      this.#options.onCall?.({ verb: 'watch', resource: kind.plural, code, durationMs: performance.now() - startedMs });
    }
  }

  /** A call of the API that has no method here. Writes need the guard's consent like all others. */
  async raw(request: RawRequest): Promise<unknown> {
    const { method, path, query, body, contentType } = request;
    const call: Call = {
      verb: 'raw',
      resource: 'raw',
      key: path,
      method,
      path,
      ...(query && { query }),
      ...(body !== undefined && { body }),
      ...(contentType && { contentType }),
    };
    return method === 'GET' ? await this.#caller.read(call, request) : await this.#caller.write(call, request);
  }

  /** Ends open calls and watches and closes the connections. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #apply<T>(kind: KindRef, object: KubeObject, options: ApplyOptions, subresource?: 'status'): Promise<T> {
    return await this.#write<T>(
      {
        ...named('apply', kind, object.metadata, subresource),
        method: 'PATCH',
        path: objectPath(kind, object.metadata, subresource),
        query: { fieldManager: options.fieldManager, force: options.force },
        body: object,
        contentType: APPLY_TYPE,
      },
      options,
    );
  }

  /** Unknown and duplicate fields are errors: a pruned field would be applied again in every pass. */
  async #write<T>(call: Call, options: WriteOptions): Promise<T> {
    const query = { ...call.query, fieldValidation: 'Strict', dryRun: options.dryRun ? 'All' : undefined };
    return await this.#caller.write<T>({ ...call, query }, options);
  }
}

interface WireList<T> {
  metadata: { resourceVersion?: string; continue?: string };
  /** Go's nil slice becomes null. */
  items: T[] | null;
}

function named(
  verb: Verb,
  kind: KindRef,
  ref: ObjectRef,
  subresource?: string,
): Pick<Call, 'verb' | 'resource' | 'key'> {
  return { verb, resource: subresource ? `${kind.plural}/${subresource}` : kind.plural, key: keyOfRef(ref) };
}
