import type { BackoffPolicy } from './backoff.ts';
import type { KubeClient, Selectors } from './client.ts';
import type { Clock } from './clock.ts';
import type { KindRef, KubeObject, ObjectKey, ObjectRef } from './object.ts';

/** What changed in the cache. The cache already shows it when a handler is called. */
export type Change<T> =
  | { type: 'added'; key: ObjectKey; object: T }
  | { type: 'updated'; key: ObjectKey; object: T; previous: T }
  | { type: 'deleted'; key: ObjectKey; object: T };

/** Must return at once: put the key in a queue and read the object from the cache later. */
export type ChangeHandler<T> = (change: Change<T>) => void;

export type IndexFunction<T> = (object: T) => readonly string[];

export interface InformerOptions<T extends KubeObject> extends Selectors {
  client: KubeClient;
  kind: KindRef<T>;
  /** Shrinks an object before it is cached, e.g. drops managedFields. Absent: cached as received. */
  transform?: (object: T) => T;
  /** Index name → values of an object. */
  indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Objects per list page. Absent: 500. */
  pageSize?: number;
  /** Absent: 200 ms doubling to 30 s, half of it random. */
  backoff?: BackoffPolicy;
  clock?: Clock;
  /** Source of jitter in [0, 1). Absent: Math.random. */
  random?: () => number;
  /** Told about every list or watch that ended badly; the informer itself goes on. */
  onError?: (error: unknown) => void;
}

/** What can be done with an informer of whatever kind. */
export interface AnyInformer {
  readonly kind: KindRef;
  readonly size: number;
  run(signal: AbortSignal): Promise<void>;
  synced(signal?: AbortSignal): Promise<void>;
  hasSynced(): boolean;
}

/** One list-and-watch of a kind, its cache, and the handlers that share both. Objects are shared: never change them. */
export declare class SharedInformer<T extends KubeObject> implements AnyInformer {
  readonly kind: KindRef<T>;
  constructor(options: InformerOptions<T>);
  /** Lists and watches until the signal is aborted; never rejects for a failure of the server. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when the first list is complete in the cache; rejects with the signal's reason. */
  synced(signal?: AbortSignal): Promise<void>;
  hasSynced(): boolean;
  get(key: ObjectKey): T | undefined;
  find(ref: ObjectRef): T | undefined;
  /** All objects, by key in ascending order. */
  list(): T[];
  keys(): ObjectKey[];
  readonly size: number;
  /** Objects with this index value, by key in ascending order. Throws when there is no such index. */
  byIndex(index: string, value: string): T[];
  /** Adds a handler; it is told `added` for every cached object first. Returns how to remove it. */
  onChange(handler: ChangeHandler<T>): () => void;
}
