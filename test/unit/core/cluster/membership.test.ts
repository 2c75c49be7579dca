import { describe, expect, it } from 'vitest';
import { type ClusterModel, clusterOf, membershipOf } from '../../../../src/core/cluster/membership.ts';

const cluster = (name: string, overrides: Partial<ClusterModel> = {}): ClusterModel => ({
  name,
  createdAt: '2026-01-01T00:00:00Z',
  isDefault: false,
  hostSelector: undefined,
  ...overrides,
});

describe('a host belongs', () => {
  const ssd = { hostSelector: { matchLabels: { disk: 'ssd' } } };

  it('to the Cluster that selects it', () => {
    expect(membershipOf({ disk: 'ssd' }, [cluster('a', ssd)])).toEqual({ cluster: 'a', alsoSelectedBy: [] });
  });

  it('to none when none does', () => {
    expect(membershipOf({ disk: 'hdd' }, [cluster('a', ssd)])).toEqual({ cluster: undefined, alsoSelectedBy: [] });
  });

  it('to the oldest of those that select it, and the others are named', () => {
    const old = cluster('z', { createdAt: '2025-01-01T00:00:00Z' });
    expect(membershipOf({}, [cluster('b'), cluster('a'), old])).toEqual({ cluster: 'z', alsoSelectedBy: ['a', 'b'] });
  });
});

describe('a VM belongs', () => {
  it('to the Cluster that it names', () => {
    expect(clusterOf('a', [cluster('a'), cluster('b', { isDefault: true })])).toEqual({ ok: true, cluster: 'a' });
  });

  it('to the default one when it names none', () => {
    expect(clusterOf(undefined, [cluster('a'), cluster('b', { isDefault: true })])).toEqual({ ok: true, cluster: 'b' });
  });

  it.each([
    ['it names one that is not there', 'x', [cluster('a')], 'ClusterNotFound'],
    ['it names none and none is the default', undefined, [cluster('a')], 'NoDefaultCluster'],
    [
      'it names none and two are the default',
      undefined,
      [cluster('a', { isDefault: true }), cluster('b', { isDefault: true })],
      'DefaultClusterAmbiguous',
    ],
  ])('to none when %s', (_when, name, clusters, reason) => {
    expect(clusterOf(name, clusters)).toMatchObject({ ok: false, reason });
  });
});
