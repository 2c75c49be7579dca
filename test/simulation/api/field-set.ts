import { isDeepStrictEqual } from 'node:util';
import type { StructuralSchema } from '../../../src/codegen/structural-schema.ts';

/** Fields as structured-merge-diff writes them into `fieldsV1`: `f:` member, `k:` item by its key, `v:` item of a set. */
export interface FieldSet {
  [name: string]: FieldSet;
}

export type Json = Record<string, unknown>;

/** How a list is merged. Source: Kubernetes, "Server-Side Apply", merge strategy. */
type ListType = { readonly type: 'map'; readonly keys: readonly string[] } | { readonly type: 'set' | 'atomic' };

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function schemaOfMember(schema: StructuralSchema | undefined, name: string): StructuralSchema | undefined {
  return schema?.properties?.[name] ?? schema?.additionalProperties;
}

export function listTypeOf(schema: StructuralSchema | undefined): ListType {
  const type = schema?.['x-kubernetes-list-type'];
  if (type === 'map') return { type, keys: schema?.['x-kubernetes-list-map-keys'] ?? [] };
  return { type: type ?? 'atomic' };
}

/** The name of an item in a field set. */
export function itemName(list: ListType, item: unknown): string {
  if (list.type !== 'map' || !isJson(item)) return `v:${JSON.stringify(item)}`;
  const keys = [...list.keys].sort().map((key) => [key, item[key]]);
  return `k:${JSON.stringify(Object.fromEntries(keys))}`;
}

/** The fields that a value sets. */
export function fieldsOf(value: unknown, schema: StructuralSchema | undefined): FieldSet {
  if (isJson(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [`f:${name}`, fieldsOf(member, schemaOfMember(schema, name))]),
    );
  }
  const list = listTypeOf(schema);
  if (!Array.isArray(value) || list.type === 'atomic') return {};
  return Object.fromEntries(
    value.map((item) => [
      itemName(list, item),
      list.type === 'map' ? { '.': {}, ...fieldsOf(item, schema?.items) } : {},
    ]),
  );
}

/** Whether a field set has nothing below it that could be owned by itself: a scalar, an atomic value, or an empty container. */
export function isLeaf(fields: FieldSet): boolean {
  return Object.keys(fields).every((name) => name === '.');
}

export function sameFields(a: FieldSet, b: FieldSet): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => {
      const [one, other] = [a[name], b[name]];
      return one !== undefined && other !== undefined && sameFields(one, other);
    })
  );
}

/** Fields of `from` that neither `kept` nor any of the others has. */
export function without(from: FieldSet, others: readonly FieldSet[]): FieldSet {
  const left: FieldSet = {};
  for (const [name, below] of Object.entries(from)) {
    const same = others.flatMap((other) => other[name] ?? []);
    if (isLeaf(below)) {
      if (same.length === 0) left[name] = below;
      continue;
    }
    const rest = without(below, same);
    if (same.length === 0) left[name] = below;
    else if (!isLeaf(rest)) left[name] = rest;
  }
  return left;
}

/** The value without the given fields. */
export function removeFields(value: unknown, fields: FieldSet, schema: StructuralSchema | undefined): unknown {
  if (isJson(value)) {
    const left: Json = {};
    for (const [name, member] of Object.entries(value)) {
      const below = fields[`f:${name}`];
      if (below === undefined) left[name] = member;
      else if (!isLeaf(below)) {
        const rest = removeFields(member, below, schemaOfMember(schema, name));
        // What has lost all that was in it goes, too.
        if (!isJson(rest) || Object.keys(rest).length > 0) left[name] = rest;
      }
    }
    return left;
  }
  if (!Array.isArray(value)) return value;
  const list = listTypeOf(schema);
  return value.flatMap((item) => {
    const below = fields[itemName(list, item)];
    if (below === undefined) return [item];
    // An item goes with its own mark; without it only some of its members do.
    return '.' in below || isLeaf(below) ? [] : [removeFields(item, below, schema?.items)];
  });
}

/** The value with everything of `applied` in it. */
export function merge(live: unknown, applied: unknown, schema: StructuralSchema | undefined): unknown {
  if (isJson(applied)) {
    const before = isJson(live) ? live : {};
    const merged: Json = { ...before };
    for (const [name, member] of Object.entries(applied))
      merged[name] = merge(before[name], member, schemaOfMember(schema, name));
    return merged;
  }
  const list = listTypeOf(schema);
  if (!Array.isArray(applied) || !Array.isArray(live) || list.type === 'atomic') return applied;
  const names = new Map(applied.map((item) => [itemName(list, item), item]));
  const before = new Map(live.map((item) => [itemName(list, item), item]));
  const others = live.filter((item) => !names.has(itemName(list, item)));
  return [...others, ...applied.map((item) => merge(before.get(itemName(list, item)), item, schema?.items))];
}

/** Fields whose value in `wanted` is another one in `live`. */
export function changedFields(
  wanted: unknown,
  live: unknown,
  schema: StructuralSchema | undefined,
): FieldSet | undefined {
  if (isJson(wanted) && isJson(live)) {
    return collected(
      Object.entries(wanted).map(([name, member]) => [
        `f:${name}`,
        changedFields(member, live[name], schemaOfMember(schema, name)),
      ]),
    );
  }
  const list = listTypeOf(schema);
  if (Array.isArray(wanted) && Array.isArray(live) && list.type !== 'atomic') {
    const before = new Map(live.map((item) => [itemName(list, item), item]));
    return collected(
      wanted.map((item) => {
        const name = itemName(list, item);
        return [
          name,
          before.has(name) ? changedFields(item, before.get(name), schema?.items) : fieldsOf(item, schema?.items),
        ];
      }),
    );
  }
  return wanted === live || isDeepStrictEqual(wanted, live) ? undefined : fieldsOf(wanted, schema);
}

function collected(entries: readonly (readonly [string, FieldSet | undefined])[]): FieldSet | undefined {
  const found = entries.flatMap(([name, below]) => (below === undefined ? [] : [[name, below] as const]));
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

/** Paths of the fields that both sets have, as the API server writes them. */
export function commonPaths(a: FieldSet, b: FieldSet, path = ''): string[] {
  return Object.entries(a).flatMap(([name, below]) => {
    const other = b[name];
    if (other === undefined || name === '.') return [];
    const here = name.startsWith('f:') ? `${path}.${name.slice(2)}` : `${path}[${name.slice(2)}]`;
    return isLeaf(below) || isLeaf(other) ? [here] : commonPaths(below, other, here);
  });
}
