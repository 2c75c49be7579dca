import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type Change, type InformerOptions, SharedInformer } from '../../../src/kube/index.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { type ConfigMap, configMap, configMapKind, newNamespace } from './objects.ts';

const client = sharedClient();
afterAll(() => client.close());

const stops: AbortController[] = [];
const runs: Promise<void>[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  await Promise.all(runs.splice(0));
});

function start(options: Partial<InformerOptions<ConfigMap>>): SharedInformer<ConfigMap> {
  const informer = new SharedInformer<ConfigMap>({ client, kind: configMapKind, ...options });
  const stop = new AbortController();
  stops.push(stop);
  runs.push(informer.run(stop.signal));
  return informer;
}

const brief = (change: Change<ConfigMap>) =>
  `${change.type} ${change.object.metadata.name} ${change.object.data?.['k']}`;

describe('SharedInformer', () => {
  it('lists in pages, then follows every change, and tells handlers in order', async () => {
    const namespace = await newNamespace(client);
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await client.create(configMapKind, configMap(namespace, name, { k: '0' }));
    const informer = start({ namespace, pageSize: 2, labelSelector: 'test=yes' });
    const seen: string[] = [];
    informer.onChange((change) => seen.push(brief(change)));
    await informer.synced();
    expect(informer.keys()).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => `${namespace}/${name}`));
    expect(seen.splice(0)).toEqual(['a', 'b', 'c', 'd', 'e'].map((name) => `added ${name} 0`));

    await client.patch(configMapKind, { namespace, name: 'a' }, { type: 'merge', body: { data: { k: '1' } } });
    await client.create(configMapKind, configMap(namespace, 'f', { k: '2' }));
    await client.delete(configMapKind, { namespace, name: 'b' });
    await eventually('all three changes seen', () => seen.length === 3);
    expect(seen).toEqual(['updated a 1', 'added f 2', 'deleted b 0']);
    expect(informer.find({ namespace, name: 'a' })?.data).toEqual({ k: '1' });
    expect(informer.get(`${namespace}/b`)).toBeUndefined();
  });

  it('tells a handler that comes late of everything that is there', async () => {
    const namespace = await newNamespace(client);
    await client.create(configMapKind, configMap(namespace, 'a', { k: '0' }));
    const informer = start({ namespace, labelSelector: 'test=yes' });
    await informer.synced();
    const seen: string[] = [];
    const remove = informer.onChange((change) => seen.push(brief(change)));
    expect(seen).toEqual(['added a 0']);
    remove();
    await client.delete(configMapKind, { namespace, name: 'a' });
    await eventually('the deletion is in the cache', () => informer.size === 0);
    expect(seen).toEqual(['added a 0']);
  });

  it('sees an object come into its selector and leave it', async () => {
    const namespace = await newNamespace(client);
    const informer = start({ namespace, labelSelector: 'side=left' });
    const seen: string[] = [];
    informer.onChange((change) => seen.push(brief(change)));
    const { metadata } = await client.create(configMapKind, configMap(namespace, 'a', { k: '0' }));
    const side = (value: string) =>
      client.patch(configMapKind, metadata, { type: 'merge', body: { metadata: { labels: { side: value } } } });
    await informer.synced();
    await side('left');
    await side('right');
    await eventually('added and deleted', () => seen.length === 2);
    expect(seen).toEqual(['added a 0', 'deleted a 0']);
  });

  it('selects by field', async () => {
    const namespace = await newNamespace(client);
    for (const name of ['a', 'b']) await client.create(configMapKind, configMap(namespace, name, {}));
    const informer = start({ namespace, fieldSelector: 'metadata.name=b' });
    await informer.synced();
    expect(informer.keys()).toEqual([`${namespace}/b`]);
  });

  it('finds objects by index and caches what the transform leaves of them', async () => {
    const namespace = await newNamespace(client);
    for (const [name, k] of [
      ['a', 'x'],
      ['b', 'y'],
      ['c', 'x'],
    ] as const) {
      await client.create(configMapKind, configMap(namespace, name, { k, rest: 'long' }));
    }
    const informer = start({
      namespace,
      labelSelector: 'test=yes',
      indexes: { k: (object) => (object.data?.['k'] ? [object.data['k']] : []) },
      transform: (object) => {
        delete object.metadata.managedFields;
        return { ...object, data: { k: object.data?.['k'] ?? '' } };
      },
    });
    await informer.synced();
    expect(informer.byIndex('k', 'x').map((object) => object.metadata.name)).toEqual(['a', 'c']);
    await client.patch(configMapKind, { namespace, name: 'c' }, { type: 'merge', body: { data: { k: 'y' } } });
    await eventually('c moved in the index', () => informer.byIndex('k', 'y').length === 2);
    expect(informer.byIndex('k', 'x').map((object) => object.metadata.name)).toEqual(['a']);
    expect(informer.list().map(({ data, metadata }) => [data, metadata.managedFields])).toEqual([
      [{ k: 'x' }, undefined],
      [{ k: 'y' }, undefined],
      [{ k: 'y' }, undefined],
    ]);
  });

  it('goes on for the others when one handler throws', async () => {
    const namespace = await newNamespace(client);
    const errors: unknown[] = [];
    const informer = start({ namespace, labelSelector: 'test=yes', onError: (error) => errors.push(error) });
    const seen: string[] = [];
    informer.onChange(() => {
      throw new Error('a bug in one consumer');
    });
    informer.onChange((change) => seen.push(brief(change)));
    await informer.synced();
    await client.create(configMapKind, configMap(namespace, 'a', { k: '0' }));
    await eventually('the other handler saw it', () => seen.length === 1);
    expect(errors).toEqual([new Error('a bug in one consumer')]);
  });

  it('opens the next watch where the last one ended when the server closes it', async () => {
    const namespace = await newNamespace(client);
    const calls: string[] = [];
    const counted = sharedClient({ onCall: ({ verb }) => calls.push(verb) });
    const informer = start({ client: counted, namespace, labelSelector: 'test=yes', watchSeconds: 1 });
    await informer.synced();
    await eventually('two watches have ended', () => calls.filter((call) => call === 'watch').length >= 2);
    await client.create(configMapKind, configMap(namespace, 'a', { k: '0' }));
    await eventually('the object is cached', () => informer.size === 1);
    expect(calls.filter((call) => call === 'list')).toEqual(['list']);
    await counted.close();
  });

  it('rejects the wait for the first list when its signal is aborted, and stops when told to', async () => {
    const informer = new SharedInformer<ConfigMap>({ client, kind: configMapKind });
    await expect(informer.synced(AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
    const stop = new AbortController();
    const run = informer.run(stop.signal);
    await informer.synced();
    stop.abort();
    await run;
  });
});
