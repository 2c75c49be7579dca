import type { KubeApi } from './api.ts';
import type { ApplyOptions } from './call.ts';
import type { KindRef, KubeObject } from './object.ts';

export type ApplyOutcome<T> = { written: boolean; object: T };

export interface ApplyIfChangedOptions extends ApplyOptions {
  /** Which part is applied. Absent: the main resource. */
  subresource?: 'status';
}

/**
 * Server-side apply, unless the cached object shows that it would change nothing. Needs this manager's
 * `managedFields` in the cache (see {@link keepManagedFieldsOf}).
 */
export async function applyIfChanged<T extends KubeObject>(
  client: KubeApi,
  kind: KindRef<T>,
  wanted: KubeObject,
  cached: T | undefined,
  { subresource, ...options }: ApplyIfChangedOptions,
): Promise<ApplyOutcome<T>> {
  if (cached && appliesNothing(wanted, cached, options.fieldManager, subresource))
    return { written: false, object: cached };
  const object =
    subresource === 'status'
      ? await client.applyStatus<T>(kind, wanted, options)
      : await client.apply<T>(kind, wanted, options);
  return { written: true, object };
}

/**
 * True when applying `wanted` as `fieldManager` would leave `cached` as it is: the manager owns exactly the wanted
 * fields, and they have the wanted values. Comparing values alone would miss a field that is no longer wanted. When in
 * doubt the answer is false, which costs one call that changes nothing.
 */
export function appliesNothing(
  wanted: KubeObject,
  cached: KubeObject,
  fieldManager: string,
  subresource?: 'status',
): boolean {
  const owned = (cached.metadata.managedFields ?? []).filter(
    (entry) => entry.manager === fieldManager && entry.operation === 'Apply' && entry.subresource === subresource,
  );
  const [entry] = owned;
  if (owned.length !== 1 || entry?.apiVersion !== wanted.apiVersion) return false;
  return sameAsOwned(entry.fieldsV1, appliedPart(wanted), cached);
}

/** An informer transform that drops the managedFields of everybody but these managers. */
export function keepManagedFieldsOf<T extends KubeObject>(...managers: readonly string[]): (object: T) => T {
  return (object) => {
    const { managedFields, ...metadata } = object.metadata;
    const kept = managedFields?.filter((entry) => managers.includes(entry.manager ?? ''));
    // A copy: deleting a property would cost each cached object V8's slower and larger form.
    return { ...object, metadata: kept && kept.length > 0 ? { ...metadata, managedFields: kept } : metadata };
  };
}

/** What the server tracks: all but the object's identity and the preconditions. */
function appliedPart(wanted: KubeObject): Record<string, unknown> {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = wanted;
  const { name: _name, namespace: _namespace, uid: _uid, resourceVersion: _version, ...tracked } = metadata;
  const hasMetadata = Object.values(tracked).some((value) => value !== undefined);
  return hasMetadata ? { ...rest, metadata: tracked } : rest;
}

/**
 * Walks fieldsV1 (structured-merge-diff's field set: `f:` member, `k:` item by its key, `v:` item of a set). What is wanted is
 * looked at as it is, not as a copy in JSON: this is asked in every pass of every controller, and hardly ever leads to a call.
 */
function sameAsOwned(fields: unknown, wanted: unknown, cached: unknown): boolean {
  if (!isRecord(fields)) return false;
  const owned = Object.keys(fields).filter((name) => name !== '.');
  if (owned.length === 0) return sameLeaf(wanted, cached);
  if (Array.isArray(wanted) && Array.isArray(cached)) return sameItems(fields, owned, wanted, cached);
  if (isRecord(wanted) && isRecord(cached)) return sameMembers(fields, owned.length, wanted, cached);
  return false;
}

/** A scalar, an atomic value, or a container that was applied empty and that others may have filled. */
function sameLeaf(wanted: unknown, cached: unknown): boolean {
  if (isEmptyList(wanted)) return Array.isArray(cached);
  if (isRecord(wanted) && namesIn(wanted).length === 0) return isRecord(cached);
  return sameJson(wanted, cached);
}

function sameMembers(
  fields: Record<string, unknown>,
  owned: number,
  wanted: Record<string, unknown>,
  cached: Record<string, unknown>,
): boolean {
  let tracked = 0;
  for (const name of namesIn(wanted)) {
    const below = fields[`f:${name}`];
    if (below !== undefined) {
      tracked++;
      if (!sameAsOwned(below, wanted[name], cached[name])) return false;
      continue;
    }
    // The server does not track who applied an empty list of items with keys.
    if (!isEmptyList(wanted[name]) || !isEmptyList(cached[name])) return false;
  }
  return tracked === owned;
}

function sameItems(
  fields: Record<string, unknown>,
  owned: readonly string[],
  wanted: readonly unknown[],
  cached: readonly unknown[],
): boolean {
  if (owned.length !== wanted.length) return false;
  const named = owned.map((name) => ({ name, value: valueIn(name) }));
  let lastIndex = -1;
  for (const [place, item] of wanted.entries()) {
    // Most lists are applied in the order in which their owner's fields stand.
    const inPlace = named[place];
    const found = inPlace !== undefined && names(inPlace, item) ? inPlace : named.find((each) => names(each, item));
    if (found === undefined) return false;
    const { name } = found;
    // The order of a list is part of what is wanted, e.g. the boot order of disks.
    const index = cached.findIndex((other, at) => at > lastIndex && names(found, other));
    if (index < 0) return false;
    lastIndex = index;
    if (name.startsWith('k:') && !sameAsOwned(fields[name], item, cached[index])) return false;
  }
  return true;
}

/** What stands behind the colon of `k:{"name":"root"}` and `v:"x"`. */
function valueIn(fieldName: string): unknown {
  return JSON.parse(fieldName.slice(2));
}

/** Does this name an item? */
function names({ name: fieldName, value }: { readonly name: string; readonly value: unknown }, item: unknown): boolean {
  if (fieldName.startsWith('v:')) return sameJson(value, item);
  if (!fieldName.startsWith('k:') || !isRecord(value) || !isRecord(item)) return false;
  for (const key in value) if (!sameJson(item[key], value[key])) return false;
  return true;
}

/** Equal when written as JSON: members that are undefined are not there. */
function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  if (!isRecord(a) || !isRecord(b)) return false;
  const all = namesIn(a);
  return all.length === namesIn(b).length && all.every((name) => b[name] !== undefined && sameJson(a[name], b[name]));
}

/** Names of the members that JSON would carry. */
function namesIn(value: Record<string, unknown>): string[] {
  return Object.keys(value).filter((name) => value[name] !== undefined);
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
