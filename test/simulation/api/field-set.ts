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

/** Items are never changed, and each stands in lists of one kind. */
const ITEM_NAMES = new WeakMap<object, string>();

/** The name of an item in a field set. */
export function itemName(list: ListType, item: unknown): string {
  if (list.type !== 'map' || !isJson(item)) return `v:${JSON.stringify(item)}`;
  const known = ITEM_NAMES.get(item);
  if (known !== undefined) return known;
  const keys = [...list.keys].sort().map((key) => [key, item[key]]);
  const name = `k:${JSON.stringify(Object.fromEntries(keys))}`;
  ITEM_NAMES.set(item, name);
  return name;
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

/** Whether these are exactly the fields that a value sets. */
export function setsExactly(value: unknown, fields: FieldSet, schema: StructuralSchema | undefined): boolean {
  if (isJson(value)) {
    let count = 0;
    for (const name in value) {
      const below = fields[`f:${name}`];
      if (below === undefined || !setsExactly(value[name], below, schemaOfMember(schema, name))) return false;
      count++;
    }
    return count === sizeOf(fields);
  }
  const list = listTypeOf(schema);
  if (!Array.isArray(value) || list.type === 'atomic') return sizeOf(fields) === 0;
  if (value.length !== Object.keys(fields).length) return false;
  return value.every((item) => {
    const below = fields[itemName(list, item)];
    return below !== undefined && (list.type !== 'map' || setsExactly(item, below, schema?.items));
  });
}

/** Without the mark of an item itself. */
function sizeOf(fields: FieldSet): number {
  let count = 0;
  for (const name in fields) if (name !== '.') count++;
  return count;
}

/** Whether a field set has nothing below it that could be owned by itself: a scalar, an atomic value, or an empty container. */
export function isLeaf(fields: FieldSet): boolean {
  return Object.keys(fields).every((name) => name === '.');
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
  if (live === applied) return live;
  if (isJson(applied)) {
    const before = isJson(live) ? live : undefined;
    const merged: Json = { ...before };
    let isSame = before !== undefined;
    for (const name in applied) {
      merged[name] = merge(before?.[name], applied[name], schemaOfMember(schema, name));
      if (merged[name] !== before?.[name]) isSame = false;
    }
    return isSame ? live : merged;
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
  if (wanted === live) return undefined;
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
  return isDeepStrictEqual(wanted, live) ? undefined : fieldsOf(wanted, schema);
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
