import { type KubeObject, keyOf, type ObjectKey } from './object.ts';

/** What changed in a cache. */
export type Change<T> =
  | { type: 'added'; key: ObjectKey; object: T }
  | { type: 'updated'; key: ObjectKey; object: T; previous: T }
  | { type: 'deleted'; key: ObjectKey; object: T };

/** The values under which an object is found. None: it is not in this index. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** The newest known state of a kind's objects, by key and by index. */
export class ObjectCache<T extends KubeObject> {
  readonly #objects = new Map<ObjectKey, T>();
  readonly #indexes: ReadonlyMap<string, { valuesOf: IndexFunction<T>; keysByValue: Map<string, Set<ObjectKey>> }>;
  #sortedKeys: readonly ObjectKey[] | undefined;

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>> = {}) {
    this.#indexes = new Map(
      Object.entries(indexes).map(([name, valuesOf]) => [name, { valuesOf, keysByValue: new Map() }]),
    );
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key);
  }

  keys(): readonly ObjectKey[] {
    this.#sortedKeys ??= [...this.#objects.keys()].sort();
    return this.#sortedKeys;
  }

  list(): T[] {
    return this.#objectsOf(this.keys());
  }

  byIndex(index: string, value: string): T[] {
    const found = this.#indexes.get(index);
    if (!found) throw new Error(`There is no index "${index}"; there are: ${[...this.#indexes.keys()].join(', ')}.`);
    return this.#objectsOf([...(found.keysByValue.get(value) ?? [])].sort());
  }

  /** Undefined when the cache has this very version already. */
  put(object: T): Change<T> | undefined {
    const key = keyOf(object);
    const previous = this.#objects.get(key);
    if (previous && sameVersion(previous, object)) return undefined;
    this.#objects.set(key, object);
    this.#reindex(key, previous, object);
    if (previous) return { type: 'updated', key, object, previous };
    this.#sortedKeys = undefined;
    return { type: 'added', key, object };
  }

  delete(key: ObjectKey, last = this.#objects.get(key)): Change<T> | undefined {
    const previous = this.#objects.get(key);
    if (!previous || !last) return undefined;
    this.#objects.delete(key);
    this.#sortedKeys = undefined;
    this.#reindex(key, previous, undefined);
    return { type: 'deleted', key, object: last };
  }

  /**
   * Makes the cache equal to a complete list. An object whose name was taken by another one (other uid) in the
   * meantime is deleted and added, never updated.
   */
  *replace(objects: readonly T[]): Generator<Change<T>, void, undefined> {
    const fresh = new Map(objects.map((object) => [keyOf(object), object]));
    for (const key of this.keys()) {
      const replaced = fresh.get(key)?.metadata.uid !== this.#objects.get(key)?.metadata.uid;
      const change = replaced ? this.delete(key) : undefined;
      if (change) yield change;
    }
    for (const object of objects) {
      const change = this.put(object);
      if (change) yield change;
    }
  }

  #objectsOf(keys: readonly ObjectKey[]): T[] {
    return keys.map((key) => this.#objects.get(key)).filter((object) => object !== undefined);
  }

  #reindex(key: ObjectKey, previous: T | undefined, next: T | undefined): void {
    for (const { valuesOf, keysByValue } of this.#indexes.values()) {
      for (const value of previous ? valuesOf(previous) : []) {
        const keys = keysByValue.get(value);
        keys?.delete(key);
        if (keys?.size === 0) keysByValue.delete(value);
      }
      for (const value of next ? valuesOf(next) : []) {
        const keys = keysByValue.get(value);
        if (keys) keys.add(key);
        else keysByValue.set(value, new Set([key]));
      }
    }
  }
}

export function sameVersion(a: KubeObject, b: KubeObject): boolean {
  return (
    a.metadata.uid === b.metadata.uid &&
    a.metadata.resourceVersion !== undefined &&
    a.metadata.resourceVersion === b.metadata.resourceVersion
  );
}
