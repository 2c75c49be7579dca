import { unlessAborted } from './abort.ts';
import { type Change, type IndexFunction, ObjectCache, sameVersion } from './cache.ts';
import { type KindRef, type KubeObject, keyOf, keyOfRef, type ObjectKey, type ObjectRef } from './object.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import type { WatchEvent } from './watch.ts';

/** Must return at once: put the key in a queue and read the object from the cache later. */
export type ChangeHandler<T> = (change: Change<T>) => void;

export interface InformerOptions<T extends KubeObject> extends ReflectorOptions<T> {
  /** Shrinks an object before it is cached; must keep its name, uid and resourceVersion. Absent: cached as received. */
  transform?: (object: T) => T;
  /** Index name → values of an object. */
  indexes?: Readonly<Record<string, IndexFunction<T>>>;
}

/** What can be done with an informer of whatever kind. */
export interface AnyInformer {
  readonly kind: KindRef;
  readonly size: number;
  run(signal: AbortSignal): Promise<void>;
  synced(signal?: AbortSignal): Promise<void>;
  hasSynced(): boolean;
}

/**
 * One list-and-watch of a kind, its cache, and the handlers that share both. Objects are shared: never change them.
 *
 * Memory is bounded by what exists, not by how fast it changes: the cache holds one version per object, handlers are
 * called in line with the watch and keep keys, and while they are called nothing is read from the connection.
 */
export class SharedInformer<T extends KubeObject> implements AnyInformer {
  readonly kind: KindRef<T>;
  readonly #options: InformerOptions<T>;
  readonly #cache: ObjectCache<T>;
  readonly #handlers = new Set<ChangeHandler<T>>();
  readonly #firstList = Promise.withResolvers<void>();
  #synced = false;

  constructor(options: InformerOptions<T>) {
    this.kind = options.kind;
    this.#options = options;
    this.#cache = new ObjectCache(options.indexes);
  }

  /** Lists and watches until the signal is aborted; never rejects for a failure of the server. */
  async run(signal: AbortSignal): Promise<void> {
    const reflector = new Reflector<T>(this.#options, {
      page: (objects) => objects.map((object) => this.#received(object)),
      replace: (objects) => {
        for (const change of this.#cache.replace(objects)) this.#tell(change);
        this.#synced = true;
        this.#firstList.resolve();
      },
      event: (event) => this.#event(event),
    });
    await reflector.run(signal);
  }

  /** Resolves when the first list is complete in the cache; rejects with the signal's reason. */
  async synced(signal?: AbortSignal): Promise<void> {
    await (signal ? unlessAborted(this.#firstList.promise, signal) : this.#firstList.promise);
  }

  hasSynced(): boolean {
    return this.#synced;
  }

  get size(): number {
    return this.#cache.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.#cache.get(key);
  }

  find(ref: ObjectRef): T | undefined {
    return this.#cache.get(keyOfRef(ref));
  }

  /** All objects, by key in ascending order. */
  list(): T[] {
    return this.#cache.list();
  }

  /** All keys in ascending order. */
  keys(): readonly ObjectKey[] {
    return this.#cache.keys();
  }

  /** Objects with this index value, by key in ascending order. Throws when there is no such index. */
  byIndex(index: string, value: string): T[] {
    return this.#cache.byIndex(index, value);
  }

  /** Adds a handler; it is told `added` for every cached object first. Returns how to remove it. */
  onChange(handler: ChangeHandler<T>): () => void {
    for (const object of this.#cache.list()) this.#call(handler, { type: 'added', key: keyOf(object), object });
    this.#handlers.add(handler);
    return () => {
      this.#handlers.delete(handler);
    };
  }

  #event(event: Exclude<WatchEvent<T>, { type: 'BOOKMARK' }>): void {
    const object = this.#options.transform?.(event.object) ?? event.object;
    const change = event.type === 'DELETED' ? this.#cache.delete(keyOf(object), object) : this.#cache.put(object);
    if (change) this.#tell(change);
  }

  /** A relist keeps the objects that did not change, so that it does not double the memory. */
  #received(object: T): T {
    const cached = this.#cache.get(keyOf(object));
    if (cached && sameVersion(cached, object)) return cached;
    return this.#options.transform?.(object) ?? object;
  }

  #tell(change: Change<T>): void {
    for (const handler of this.#handlers) this.#call(handler, change);
  }

  #call(handler: ChangeHandler<T>, change: Change<T>): void {
    try {
      handler(change);
    } catch (error) {
      // One consumer's mistake must not blind the others.
      this.#options.onError?.(error);
    }
  }
}
