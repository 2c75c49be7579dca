import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectSchemaOf } from '../../../src/codegen/crd.ts';
import { type Field, fieldsOf } from '../../../src/codegen/fields.ts';
import type { StructuralSchema } from '../../../src/codegen/structural-schema.ts';
import { COMPLETE_OBJECTS } from '../../builders/complete-objects.ts';
import { findPlace, type Place, pathText, placeOf, valueAt, withValue } from '../../builders/field-path.ts';
import { sharedClient } from '../control-plane.ts';
import { installCrds } from './install-crds.ts';
import { ALL_KINDS, type AnyObject, kindNamed, type Verdict, verdictOnCreate, verdictOnStatus } from './verdict.ts';

const client = sharedClient();
beforeAll(() => installCrds(client));
afterAll(() => client.close());

/** One value that a limit of the schema refuses, and the last one that it lets pass. */
interface Limit {
  readonly name: string;
  readonly beyond: unknown;
  /** Absent: there is no such value, as for a field that is required. */
  readonly within?: unknown;
  readonly message: RegExp;
}

describe.each(ALL_KINDS)('$kind', (kind) => {
  const fields = fieldsOf(objectSchemaOf(kind)).filter(({ path }) => /^(spec|status)\b/.test(path));
  const missing = fields.map(({ path }) => path).filter((path) => findPlace(kind.kind, path) === undefined);
  const [complete] = COMPLETE_OBJECTS[kind.kind] ?? [];
  const name = `limits-${kind.singular}`;

  beforeAll(async () => {
    if (complete === undefined) throw new Error(`There is no complete ${kind.kind}`);
    const { namespaced } = kindNamed(kind.kind);
    const metadata = { name, ...(namespaced && { namespace: 'default' }) };
    await client.apply(kindNamed(kind.kind), { ...complete, metadata }, { fieldManager: 'test', force: true });
  });

  async function verdictOn(object: AnyObject, { path }: Field): Promise<Verdict> {
    if (path.startsWith('spec')) return await verdictOnCreate(client, object);
    return await verdictOnStatus(client, object, name);
  }

  it('has a complete object with every field: else add the new one in test/builders/complete-objects.ts', () => {
    expect(missing).toEqual([]);
  });

  it('accepts objects with every field set', async () => {
    for (const object of COMPLETE_OBJECTS[kind.kind] ?? []) {
      expect(await verdictOnCreate(client, { ...object })).toEqual([]);
      expect(await verdictOnStatus(client, { ...object }, name)).toEqual([]);
    }
  });

  const limited = fields
    .filter(({ path }) => !missing.includes(path))
    .flatMap((field) => limitsOf(field, kind.kind).map((limit) => ({ ...limit, field, path: field.path })));

  it.each(limited)('$path: $name', async ({ field, beyond, within, message }) => {
    const place = placeOf(kind.kind, field.path);
    const at = pathText(place.path);
    const refused = await verdictOn(withValue(place, beyond), field);
    expect(refused).toContainEqual({ field: expect.stringContaining(at), message: expect.stringMatching(message) });
    if (within === undefined) return;
    const accepted = await verdictOn(withValue(place, within), field);
    expect(accepted.filter((cause) => cause.field === at && message.test(cause.message))).toEqual([]);
  });
});

function limitsOf({ path, schema, required }: Field, kind: string): Limit[] {
  const limits = [...numberLimits(schema), ...textLimits(schema), ...listLimits(placeOf(kind, path), schema)];
  if (schema.enum) limits.push({ name: 'enum', beyond: 'no-such', message: /supported values: / });
  if (required) limits.push({ name: 'required', beyond: undefined, message: /Required value/ });
  return limits;
}

function numberLimits({ minimum, maximum }: StructuralSchema): Limit[] {
  return [
    ...(minimum === undefined
      ? []
      : [{ name: 'minimum', beyond: minimum - 1, within: minimum, message: /should be greater than or equal to/ }]),
    ...(maximum === undefined
      ? []
      : [{ name: 'maximum', beyond: maximum + 1, within: maximum, message: /should be less than or equal to/ }]),
  ];
}

function textLimits({ minLength, maxLength }: StructuralSchema): Limit[] {
  const short = (length: number) => 'a'.repeat(length);
  return [
    ...(minLength === undefined
      ? []
      : [{ name: 'minLength', beyond: short(minLength - 1), within: short(minLength), message: /at least/ }]),
    ...(maxLength === undefined
      ? []
      : [
          {
            name: 'maxLength',
            beyond: short(maxLength + 1),
            within: short(maxLength),
            message: /may not be more than/,
          },
        ]),
  ];
}

function listLimits(place: Place, { maxItems, maxProperties, items }: StructuralSchema): Limit[] {
  const value = valueAt(place);
  if (maxItems !== undefined) {
    const [entry] = Array.isArray(value) ? value : [];
    const key =
      items?.properties && Object.keys(items.properties).find((name) => ['name', 'uuid', 'type'].includes(name));
    const entries = (count: number) =>
      Array.from({ length: count }, (_, index) => (key ? { ...Object(entry), [key]: `e${index}` } : entry));
    return [
      { name: 'maxItems', beyond: entries(maxItems + 1), within: entries(maxItems), message: /must have at most/ },
    ];
  }
  if (maxProperties === undefined) return [];
  const properties = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));
  const [beyond, within] = [properties(maxProperties + 1), properties(maxProperties)];
  return [{ name: 'maxProperties', beyond, within, message: /must have at most/ }];
}
