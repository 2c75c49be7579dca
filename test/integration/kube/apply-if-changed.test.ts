import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyIfChanged, type KindRef, type KubeObject } from '../../../src/kube/index.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';

const client = sharedClient();
afterAll(() => client.close());

/** A kind with every sort of list that server-side apply knows. */
const kind: KindRef = { group: 'test.drover.dev', version: 'v1', plural: 'things', kind: 'Thing', namespaced: false };
const crdKind: KindRef = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
const text = { type: 'string' };
const disk = {
  type: 'object',
  required: ['name'],
  properties: { name: text, path: text, bus: { ...text, default: 'virtio' } },
};
const properties = {
  host: text,
  disks: { type: 'array', items: disk, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] },
  tags: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
  path: { type: 'array', items: text, 'x-kubernetes-list-type': 'atomic' },
  limits: { type: 'object', additionalProperties: { type: 'integer' } },
};
const status = { type: 'object', properties: { phase: text } };

beforeAll(async () => {
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.test.drover.dev' },
    spec: {
      group: kind.group,
      scope: 'Cluster',
      names: { plural: 'things', singular: 'thing', kind: 'Thing' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties }, status } } },
        },
      ],
    },
  };
  await client.create(crdKind, crd);
  await eventually('the kind is served', () =>
    client.list(kind).then(
      () => true,
      () => false,
    ),
  );
});
afterAll(() => client.delete(crdKind, { name: 'things.test.drover.dev' }));

function thing(name: string, spec: object, labels?: Record<string, string>): KubeObject {
  return { apiVersion: 'test.drover.dev/v1', kind: 'Thing', metadata: { name, ...(labels && { labels }) }, spec };
}

const full = {
  host: 'h1',
  disks: [{ name: 'root', path: '/r' }, { name: 'data' }],
  tags: ['b', 'a'],
  path: ['x', 'y'],
  limits: { cpu: 2, memory: 4 },
};
const options = { fieldManager: 'drover-test' };

describe('applyIfChanged', () => {
  it.each([
    ['every sort of list', full],
    ['nothing in its lists and maps', { host: 'h1', disks: [], tags: [], path: [], limits: {} }],
    ['an empty spec', {}],
  ])('writes once, and then never again while nothing changed: %s', async (what, spec) => {
    const wanted = thing(what.replaceAll(' ', '-'), spec, { ours: 'x' });
    const first = await applyIfChanged(client, kind, wanted, undefined, options);
    expect(first.written).toBe(true);
    const second = await applyIfChanged(client, kind, wanted, first.object, options);
    expect(second).toEqual({ written: false, object: first.object });
  });

  it.each([
    ['a value', { ...full, host: 'h2' }],
    ['a field that is no longer wanted', { ...full, host: undefined }],
    ['an item that is no longer wanted', { ...full, disks: full.disks.slice(0, 1) }],
    ['the order of items', { ...full, disks: full.disks.toReversed() }],
    ['the field of an item', { ...full, disks: [{ name: 'root', path: '/other' }, { name: 'data' }] }],
    [
      'a default that is now wanted otherwise',
      { ...full, disks: [{ name: 'root', path: '/r', bus: 'sata' }, { name: 'data' }] },
    ],
    ['a member of a set', { ...full, tags: ['b'] }],
    ['an atomic list', { ...full, path: ['y', 'x'] }],
    ['a key of a map', { ...full, limits: { cpu: 2 } }],
  ])('writes what changed, and then never again: %s', async (what, changed) => {
    const name = what.replaceAll(' ', '-');
    const before = await applyIfChanged(client, kind, thing(name, full), undefined, options);
    const after = await applyIfChanged(client, kind, thing(name, changed), before.object, options);
    expect(after.written).toBe(true);
    expect(after.object.spec).toMatchObject(JSON.parse(JSON.stringify(changed)));
    expect((await applyIfChanged(client, kind, thing(name, changed), after.object, options)).written).toBe(false);
  });

  it('does not write for what others did, but writes when they took a field away', async () => {
    const wanted = thing('shared', { host: 'h1', tags: ['a'] });
    await applyIfChanged(client, kind, wanted, undefined, options);
    const others = thing('shared', { tags: ['b'], limits: { cpu: 1 } }, { theirs: 'y' });
    const joined = await client.apply(kind, others, { fieldManager: 'other' });
    expect((await applyIfChanged(client, kind, wanted, joined, options)).written).toBe(false);
    const taken = await client.apply(kind, thing('shared', { host: 'h2' }), { fieldManager: 'other', force: true });
    const refused = applyIfChanged(client, kind, wanted, taken, options);
    await expect(refused).rejects.toMatchObject({ fieldConflicts: [{ field: '.spec.host', owner: 'other' }] });
  });

  it('keeps status and the rest apart', async () => {
    const { object } = await applyIfChanged(client, kind, thing('apart', { host: 'h1' }), undefined, options);
    const wanted = {
      apiVersion: object.apiVersion,
      kind: object.kind,
      metadata: { name: 'apart' },
      status: { phase: 'Running' },
    };
    const first = await applyIfChanged(client, kind, wanted, object, { ...options, subresource: 'status' });
    expect(first).toMatchObject({ written: true, object: { status: { phase: 'Running' }, spec: { host: 'h1' } } });
    const second = await applyIfChanged(client, kind, wanted, first.object, { ...options, subresource: 'status' });
    expect(second.written).toBe(false);
    expect((await applyIfChanged(client, kind, thing('apart', { host: 'h1' }), first.object, options)).written).toBe(
      false,
    );
  });
});
