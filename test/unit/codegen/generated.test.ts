import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { KINDS } from '../../../src/api/kinds.ts';
import type { AnyKind } from '../../../src/codegen/any-kind.ts';
import { crdFile, crdOf, objectSchemaOf } from '../../../src/codegen/crd.ts';
import { type Field, fieldsOf } from '../../../src/codegen/fields.ts';
import { generatedFiles } from '../../../src/codegen/outputs.ts';
import { exampleOf, referencePage } from '../../../src/codegen/reference.ts';

const ALL: readonly AnyKind[] = Object.values(KINDS);
const FIELDS = ALL.flatMap((kind) =>
  fieldsOf(objectSchemaOf(kind))
    .filter(({ path }) => !path.startsWith('metadata'))
    .map((field) => ({ ...field, kind: kind.kind })),
);

/** Words by which a description says in what a field whose name ends so is counted. */
const UNITS: readonly (readonly [RegExp, RegExp])[] = [
  [/Bytes$/, /bytes/],
  [/Seconds$/, /seconds/],
  [/Cores$/, /[Cc]ores|[Tt]hreads/],
  // The value of the restart annotation is whatever the user wrote.
  [/(?<!restarted)At$|Time$/, /RFC 3339/],
];

describe('the description of every field', () => {
  it('is there, and ends as a sentence', () => {
    const bad = FIELDS.filter(({ schema }) => !/^\S.*\.$/s.test(schema.description ?? ''));
    expect(bad.map(placeOf)).toEqual([]);
  });

  it('says what absence means where the field may be absent', () => {
    const bad = FIELDS.filter(({ schema, required, path }) => {
      if (required || schema.default !== undefined || /^(apiVersion|kind)$/.test(path)) return false;
      return !/\b[Aa]bsent\b|Exactly one of/.test(schema.description ?? '');
    });
    expect(bad.map(placeOf)).toEqual([]);
  });

  it('names the default of what a user may leave out of a spec', () => {
    const users = FIELDS.filter(({ kind, path }) => path.startsWith('spec') && kind !== 'VirtualMachineInstance');
    const bad = users.filter(
      ({ schema }) => schema.default !== undefined && !/[Dd]efault/.test(schema.description ?? ''),
    );
    expect(bad.map(placeOf)).toEqual([]);
  });

  it('names the unit of what is counted', () => {
    const bad = FIELDS.filter(({ path, schema }) =>
      UNITS.some(([name, words]) => name.test(path) && !words.test(schema.description ?? '')),
    );
    expect(bad.map(placeOf)).toEqual([]);
  });
});

it('has no value for users to write that YAML 1.1, which kubectl reads, takes for something else than text', () => {
  const users = FIELDS.filter(({ kind, path }) => path.startsWith('spec') && kind !== 'VirtualMachineInstance');
  const values = users.flatMap(({ schema }) => schema.enum ?? []);
  expect(values).toContain('Halted');
  expect(values.filter((value) => parse(String(value), { version: '1.1' }) !== value)).toEqual([]);
});

function placeOf({ kind, path, schema }: Field & { kind: string }): string {
  return `${kind} ${path}: ${schema.description ?? 'no description'}`;
}

describe.each(ALL)('$kind', (kind) => {
  it('has a CRD that means the same in YAML 1.1, which kubectl reads, and in 1.2', () => {
    const file = crdFile(kind);
    // Not the objects: JSON leaves out what is undefined, as the API server does.
    const wanted = JSON.parse(JSON.stringify(crdOf(kind)));
    expect(parse(file, { version: '1.1' })).toEqual(wanted);
    expect(parse(file, { version: '1.2' })).toEqual(wanted);
  });

  it('can list its lists by key wherever their entries have names', () => {
    const lists = fieldsOf(objectSchemaOf(kind)).filter(({ schema }) => schema.items !== undefined);
    const types = lists.map(({ path, schema }) => [path, schema['x-kubernetes-list-type']]);
    expect(types.filter(([, type]) => type === undefined)).toEqual([]);
  });

  it('has only columns and selectable fields whose paths are fields', () => {
    const paths = new Set(fieldsOf(objectSchemaOf(kind)).map(({ path }) => path));
    const shown = kind.columns.map(({ jsonPath }) => jsonPath.replace(/\[\?\(@.*?\)\]/, '[]').replace(/\[\d+\]/, ''));
    for (const path of [...shown, ...(kind.selectableFields ?? [])].filter((one) => !one.startsWith('.metadata.'))) {
      expect(paths, path).toContain(path.slice(1));
    }
  });

  it('has messages that speak of the field they stand at, without a full stop, as kubectl puts its path before them', () => {
    const messages = [objectSchemaOf(kind), ...fieldsOf(objectSchemaOf(kind)).map(({ schema }) => schema)]
      .flatMap((schema) => schema['x-kubernetes-validations'] ?? [])
      .map(({ message }) => String(message));
    expect(messages.filter((message) => !/^[a-zA-Z].*[^.]$/.test(message))).toEqual([]);
  });

  it('has an example that its schema accepts, with nothing in it that the schema would drop', () => {
    const example = exampleOf(kind);
    const parsed = kind.object.parse(example);
    expect(parsed).toMatchObject(example);
  });

  it('has a page with its example, its fields, its rules, its conditions and its columns', () => {
    const page = referencePage(kind);
    for (const heading of ['## Example', '## spec', '## Rules', '## status', '## Conditions', '## Columns']) {
      expect(page).toContain(`\n${heading}\n`);
    }
    for (const { path } of fieldsOf(objectSchemaOf(kind)).filter((field) => field.path.startsWith('spec.'))) {
      expect(page).toContain(`| \`${path.slice('spec.'.length)}\` |`);
    }
    const example = parse(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? '', { version: '1.1' });
    expect(example).toEqual(JSON.parse(JSON.stringify(exampleOf(kind))));
  });
});

describe('the generated files', () => {
  it('are one CRD and one page per kind, and the page that leads to them', () => {
    expect(generatedFiles(ALL).size).toBe(2 * ALL.length + 1);
  });

  it('are the same each time', () => {
    expect([...generatedFiles(ALL)]).toEqual([...generatedFiles(ALL)]);
  });
});
