import { COMPLETE_OBJECTS } from './complete-objects.ts';

/** A field of one object: `['spec', 'disks', 0, 'name']`. */
export type FieldPath = readonly (string | number)[];

/** An object and where in it a field of the schema stands. */
export interface Place {
  readonly object: Record<string, unknown>;
  readonly path: FieldPath;
}

/**
 * Finds a field in the complete objects of a kind.
 * @param schemaPath as the reference has it: `spec.disks[].name`, `spec.hostSelector.matchLabels{}`.
 */
export function placeOf(kind: string, schemaPath: string): Place {
  const place = findPlace(kind, schemaPath);
  if (place !== undefined) return place;
  throw new Error(`No complete ${kind} has ${schemaPath}: give it one in test/builders/complete-objects.ts`);
}

/** The same, or nothing where no complete object has the field. */
export function findPlace(kind: string, schemaPath: string): Place | undefined {
  const segments = schemaPath.match(/[^.[\]{}]+|\[\]|\{\}/g) ?? [];
  for (const object of COMPLETE_OBJECTS[kind] ?? []) {
    const path = resolve(object, segments);
    if (path !== undefined) return { object: structuredClone({ ...object }), path };
  }
  return undefined;
}

/** The place's object with another value there; `undefined` removes the field. */
export function withValue({ object, path }: Place, value: unknown): Record<string, unknown> {
  const copy = structuredClone(object);
  const last = path.at(-1) ?? '';
  const parent = path.slice(0, -1).reduce<unknown>(child, copy);
  if (!isContainer(parent)) throw new Error(`${pathText(path)} has no parent`);
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else Reflect.set(parent, last, value);
  return copy;
}

export function valueAt({ object, path }: Place): unknown {
  return path.reduce<unknown>(child, object);
}

/** As the API server writes it: `spec.disks[0].name`. */
export function pathText(path: FieldPath): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');
}

function resolve(value: unknown, segments: readonly string[]): FieldPath | undefined {
  const [segment, ...rest] = segments;
  if (segment === undefined) return value === undefined ? undefined : [];
  if (!isContainer(value)) return undefined;
  const keys = segment === '[]' || segment === '{}' ? Object.keys(value) : [segment];
  for (const key of keys) {
    const step = Array.isArray(value) ? Number(key) : key;
    const below = resolve(child(value, step), rest);
    if (below !== undefined) return [step, ...below];
  }
  return undefined;
}

function child(value: unknown, step: string | number): unknown {
  return isContainer(value) && Object.hasOwn(value, step) ? Reflect.get(value, step) : undefined;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
