import { describe, expect, it } from 'vitest';
import type { KindRef } from '../../../src/kube/index.ts';
import { collectionPath, objectPath, withQuery } from '../../../src/kube/url.ts';

const pods: KindRef = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };
const hosts: KindRef = { group: 'drover.dev', version: 'v1alpha1', plural: 'hosts', kind: 'Host', namespaced: false };

describe('paths of the API', () => {
  it.each([
    [collectionPath(pods), '/api/v1/pods'],
    [collectionPath(pods, 'a'), '/api/v1/namespaces/a/pods'],
    [collectionPath(hosts), '/apis/drover.dev/v1alpha1/hosts'],
    [objectPath(pods, { namespace: 'a', name: 'b' }, 'status'), '/api/v1/namespaces/a/pods/b/status'],
    [objectPath(hosts, { name: 'h' }), '/apis/drover.dev/v1alpha1/hosts/h'],
    [objectPath(hosts, { name: '../nodes/x?y' }), '/apis/drover.dev/v1alpha1/hosts/..%2Fnodes%2Fx%3Fy'],
    [withQuery('/a', { b: undefined, c: '', d: 'e f', limit: 5 }), '/a?d=e+f&limit=5'],
    [withQuery('/a', {}), '/a'],
  ])('%s', (path, expected) => {
    expect(path).toBe(expected);
  });

  it('refuses what would address something else than meant', () => {
    expect(() => objectPath(pods, { namespace: 'a', name: '' })).toThrow(/A Pod without a name/);
    expect(() => objectPath(pods, { name: 'a' })).toThrow(/Pod "a" is namespaced/);
    expect(() => collectionPath(hosts, 'a')).toThrow(/Host is cluster-scoped/);
  });
});
