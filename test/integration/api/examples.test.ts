import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { KINDS } from '../../../src/api/kinds.ts';
import { exampleOf } from '../../../src/codegen/reference.ts';
import type { KubeObject } from '../../../src/kube/index.ts';
import { sharedClient } from '../control-plane.ts';
import { installCrds } from './install-crds.ts';
import { ALL_KINDS, verdictOnCreate } from './verdict.ts';

const client = sharedClient();
beforeAll(() => installCrds(client));
afterAll(() => client.close());

const FOLDER = join(import.meta.dirname, '../../../examples');

const files = readdirSync(FOLDER)
  .sort()
  .map((file) => {
    // As kubectl reads it.
    const documents = parseAllDocuments(readFileSync(join(FOLDER, file), 'utf8'), { version: '1.1' });
    return { file, objects: documents.map((document) => document.toJS() as KubeObject) };
  });

describe('the examples', () => {
  it.each(files)('$file is accepted as it is', async ({ objects }) => {
    const own = objects.filter(({ kind }) => Object.hasOwn(KINDS, kind));
    expect(own.length).toBeGreaterThan(0);
    for (const object of own) expect(await verdictOnCreate(client, { ...object }), object.metadata.name).toEqual([]);
  });

  it.each(files)('$file names only what it or another example declares', ({ objects }) => {
    const declared = files.flatMap((each) => each.objects).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const lab = ['Image drover-guest'];
    const named = objects.flatMap(referencesOf);
    expect(named.filter((reference) => ![...declared, ...lab].includes(reference))).toEqual([]);
  });

  it.each(ALL_KINDS)('of the reference page of $kind is accepted', async (kind) => {
    expect(await verdictOnCreate(client, exampleOf(kind))).toEqual([]);
  });
});

/** `Datastore shared` for every `datastoreName: shared`, at any depth. */
function referencesOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    if (key === 'portGroup') return [`PortGroup ${child}`];
    const kind = /^(\w+)Name$/.exec(key)?.[1];
    return kind === undefined ? referencesOf(child) : [`${kind[0]?.toUpperCase()}${kind.slice(1)} ${child}`];
  });
}
