import { describe, expect, it } from 'vitest';
import { appliesNothing, type KubeObject, keepManagedFieldsOf } from '../../../src/kube/index.ts';

/** What the API server holds after `drover` applied spec {host, disks, tags} and someone else added spec.note. */
const cached: KubeObject = {
  apiVersion: 'drover.dev/v1',
  kind: 'Thing',
  metadata: {
    name: 'a',
    labels: { ours: 'x', theirs: 'y' },
    managedFields: [
      {
        manager: 'drover',
        operation: 'Apply',
        apiVersion: 'drover.dev/v1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { 'f:ours': {} } },
          'f:spec': {
            'f:host': {},
            'f:disks': {
              'k:{"name":"root"}': { '.': {}, 'f:name': {}, 'f:path': {} },
              'k:{"name":"data"}': { '.': {}, 'f:name': {}, 'f:path': {} },
            },
            'f:tags': { 'v:"t1"': {}, 'v:"t2"': {} },
          },
        },
      },
      {
        manager: 'kubectl',
        operation: 'Update',
        apiVersion: 'drover.dev/v1',
        fieldsV1: { 'f:spec': { 'f:note': {} } },
      },
    ],
  },
  spec: {
    host: 'h1',
    note: 'hello',
    disks: [{ name: 'root', path: '/r', bus: 'virtio' }, { name: 'data', path: '/d' }, { name: 'theirs' }],
    tags: ['t1', 't2', 't3'],
  },
};

const same = {
  host: 'h1',
  disks: [
    { name: 'root', path: '/r' },
    { name: 'data', path: '/d' },
  ],
  tags: ['t1', 't2'],
};

function wanted(spec: object, labels: Record<string, string> = { ours: 'x' }): KubeObject {
  return { apiVersion: 'drover.dev/v1', kind: 'Thing', metadata: { name: 'a', labels, resourceVersion: '5' }, spec };
}

describe('appliesNothing', () => {
  it('is true for the fields that were applied before, whatever others added', () => {
    expect(appliesNothing(wanted(same), cached, 'drover')).toBe(true);
    expect(appliesNothing(wanted({ ...same, absent: undefined }), cached, 'drover')).toBe(true);
  });

  it.each([
    ['a value differs', wanted({ ...same, host: 'h2' })],
    ['a field is new', wanted({ ...same, cpus: 2 })],
    ['a field of others is wanted too', wanted({ ...same, note: 'hello' })],
    ['a field is no longer wanted', wanted({ disks: same.disks, tags: same.tags })],
    ['an item is no longer wanted', wanted({ ...same, disks: same.disks.slice(0, 1) })],
    ['an item is new', wanted({ ...same, disks: [...same.disks, { name: 'new' }] })],
    ['items change places', wanted({ ...same, disks: same.disks.toReversed() })],
    ['a field of an item differs', wanted({ ...same, disks: [{ name: 'root', path: '/x' }, same.disks[1]] })],
    [
      'a field of an item is new',
      wanted({ ...same, disks: [{ name: 'root', path: '/r', bus: 'virtio' }, same.disks[1]] }),
    ],
    ['a value of a set is no longer wanted', wanted({ ...same, tags: ['t1'] })],
    ['a value of a set is new', wanted({ ...same, tags: ['t1', 't3'] })],
    ['a label is no longer wanted', wanted(same, {})],
    ['another version of the kind is applied', { ...wanted(same), apiVersion: 'drover.dev/v2' }],
  ])('is false when %s', (_why, object) => {
    expect(appliesNothing(object, cached, 'drover')).toBe(false);
  });

  it('is true for an applied empty list that the server stores without an owner', () => {
    const stored = { ...cached, spec: { ...Object(cached.spec), nics: [] } };
    expect(appliesNothing(wanted({ ...same, nics: [] }), stored, 'drover')).toBe(true);
    expect(appliesNothing(wanted({ ...same, nics: [] }), cached, 'drover')).toBe(false);
  });

  it('is false for another manager and another subresource', () => {
    expect(appliesNothing(wanted(same), cached, 'other')).toBe(false);
    expect(appliesNothing(wanted(same), cached, 'drover', 'status')).toBe(false);
  });

  it('is false when the cache keeps no managedFields', () => {
    const stripped = keepManagedFieldsOf()(structuredClone(cached));
    expect(appliesNothing(wanted(same), stripped, 'drover')).toBe(false);
  });

  it('needs only the managedFields of its manager', () => {
    const kept = keepManagedFieldsOf('drover')(structuredClone(cached));
    expect(kept.metadata.managedFields?.map((entry) => entry.manager)).toEqual(['drover']);
    expect(appliesNothing(wanted(same), kept, 'drover')).toBe(true);
  });
});
