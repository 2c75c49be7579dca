import type { ApplyOptions } from './call.ts';
import type { KubeClient } from './client.ts';
import type { KindRef, KubeObject } from './object.ts';

export type ApplyOutcome<T> = { written: true; object: T } | { written: false; object: T };

export interface ApplyIfChangedOptions extends ApplyOptions {
  /** Which part is applied. Absent: the main resource. */
  subresource?: 'status';
}

/**
 * Server-side apply, unless the cached object shows that it would change nothing. Needs this manager's
 * `managedFields` in the cache (see `keepManagedFieldsOf`).
 */
export declare function applyIfChanged<T extends KubeObject>(
  client: KubeClient,
  kind: KindRef<T>,
  wanted: KubeObject,
  cached: T | undefined,
  options: ApplyIfChangedOptions,
): Promise<ApplyOutcome<T>>;

/** Pure: true when applying `wanted` as `fieldManager` would leave `cached` as it is. */
export declare function appliesNothing(
  wanted: KubeObject,
  cached: KubeObject,
  fieldManager: string,
  subresource?: 'status',
): boolean;

/** An informer transform that drops the managedFields of everybody but these managers. */
export declare function keepManagedFieldsOf<T extends KubeObject>(...managers: string[]): (object: T) => T;
