import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Change, ObjectCache } from '../../../src/kube/cache.ts';
import { type KubeObject, keyOf } from '../../../src/kube/index.ts';

function object(name: string, uid: string, version: number, host: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Thing',
    metadata: { namespace: 'ns', name, uid, resourceVersion: String(version), labels: { host } },
  };
}

const hostOf = (thing: KubeObject) => (thing.metadata.labels?.['host'] ? [thing.metadata.labels['host']] : []);
const names = fc.constantFrom('a', 'b', 'c', 'd');
const hosts = fc.constantFrom('', 'h1', 'h2');
const steps = fc.oneof(
  fc.record({ do: fc.constant('put' as const), name: names, uid: fc.constantFrom('u1', 'u2'), host: hosts }),
  fc.record({ do: fc.constant('delete' as const), name: names }),
  fc.record({
    do: fc.constant('replace' as const),
    list: fc.uniqueArray(fc.record({ name: names, uid: fc.constantFrom('u1', 'u2'), host: hosts }), {
      selector: ({ name }) => name,
    }),
  }),
);

type Step = typeof steps extends fc.Arbitrary<infer S> ? S : never;

function play(cache: ObjectCache<KubeObject>, step: Step, version: number): Iterable<Change<KubeObject> | undefined> {
  switch (step.do) {
    case 'put':
      return [cache.put(object(step.name, step.uid, version, step.host))];
    case 'delete':
      return [cache.delete(`ns/${step.name}`)];
    case 'replace': {
      const changes = [...cache.replace(step.list.map((each) => object(each.name, each.uid, version, each.host)))];
      expect(cache.keys()).toEqual(step.list.map(({ name }) => `ns/${name}`).sort());
      return changes;
    }
  }
}

/** What a consumer knows that saw nothing but the changes. */
function follow(known: Map<string, KubeObject>, change: Change<KubeObject>): void {
  expect(known.has(change.key)).toBe(change.type !== 'added');
  if (change.type === 'updated') expect(change.previous).toBe(known.get(change.key));
  if (change.type === 'deleted') known.delete(change.key);
  else known.set(change.key, change.object);
}

describe('ObjectCache', () => {
  it('tells changes from which its content follows, and its indexes agree with its content', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 40 }), (script) => {
        const cache = new ObjectCache<KubeObject>({ host: hostOf });
        const known = new Map<string, KubeObject>();
        let version = 0;
        for (const step of script) {
          version += 1;
          for (const change of play(cache, step, version)) if (change) follow(known, change);
        }
        expect(cache.list()).toEqual([...known.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)));
        for (const host of ['h1', 'h2']) {
          expect(cache.byIndex('host', host)).toEqual(cache.list().filter((thing) => hostOf(thing).includes(host)));
        }
      }),
    );
  });

  it('tells nothing when a version comes again', () => {
    const cache = new ObjectCache<KubeObject>();
    cache.put(object('a', 'u1', 1, 'h1'));
    expect(cache.put(object('a', 'u1', 1, 'h1'))).toBeUndefined();
    expect([...cache.replace([object('a', 'u1', 1, 'h1')])]).toEqual([]);
  });

  it('tells of a deletion and an addition when a list shows another object under an old name', () => {
    const cache = new ObjectCache<KubeObject>();
    cache.put(object('a', 'u1', 1, 'h1'));
    expect([...cache.replace([object('a', 'u2', 5, 'h1')])].map((change) => change.type)).toEqual(['deleted', 'added']);
  });

  it('names the indexes there are when asked for another', () => {
    const cache = new ObjectCache<KubeObject>({ host: hostOf });
    expect(() => cache.byIndex('hots', 'h1')).toThrow('There is no index "hots"; there are: host.');
  });
});
