import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { type KindRef, KubeError, type KubeObject } from '../../../src/kube/index.ts';
import { sharedClient } from '../control-plane.ts';
import { configMap, configMapKind, newNamespace } from './objects.ts';

const client = sharedClient();
afterAll(() => client.close());

async function failureOf(call: Promise<unknown>): Promise<KubeError> {
  const error = await call.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!(error instanceof KubeError)) throw new Error(`expected a KubeError, got ${String(error)}`);
  return error;
}

describe('calls of the API server', () => {
  it('creates, reads, replaces and deletes an object', async () => {
    const namespace = await newNamespace(client);
    const created = await client.create(configMapKind, configMap(namespace, 'a', { k: '1' }));
    expect(created.metadata.uid).toBeDefined();
    await client.update(configMapKind, { ...created, data: { k: '2' } });
    const read = await client.get(configMapKind, { namespace, name: 'a' });
    expect(read.data).toEqual({ k: '2' });
    expect(await client.delete(configMapKind, { namespace, name: 'a' })).toBe(true);
    expect(await client.delete(configMapKind, { namespace, name: 'a' })).toBe(false);
  });

  it('names the call, the object and the reason when an object is not there', async () => {
    const error = await failureOf(client.get(configMapKind, { namespace: 'default', name: 'no-such' }));
    expect(error.isNotFound()).toBe(true);
    expect(error.message).toBe('get configmaps default/no-such: configmaps "no-such" not found');
  });

  it('refuses to address an object without a name, which would be the whole collection', async () => {
    await expect(client.delete(configMapKind, { namespace: 'default', name: '' })).rejects.toThrow(/without a name/);
    await expect(client.get(configMapKind, { name: 'a' })).rejects.toThrow(/set its metadata.namespace/);
  });

  it('reports an object that exists already, and a stale resourceVersion, as different things', async () => {
    const namespace = await newNamespace(client);
    const first = await client.create(configMapKind, configMap(namespace, 'a', {}));
    const exists = await failureOf(client.create(configMapKind, configMap(namespace, 'a', {})));
    expect([exists.isAlreadyExists(), exists.isConflict()]).toEqual([true, false]);
    await client.patch(configMapKind, first.metadata, { type: 'merge', body: { data: { k: '1' } } });
    const stale = await failureOf(client.update(configMapKind, first));
    expect([stale.isAlreadyExists(), stale.isConflict()]).toEqual([false, true]);
  });

  it('deletes only the incarnation it was asked to', async () => {
    const namespace = await newNamespace(client);
    const ref = { namespace, name: 'a' };
    await client.create(configMapKind, configMap(namespace, 'a', {}));
    const error = await failureOf(client.delete(configMapKind, ref, { uid: randomUUID() }));
    expect(error.isConflict()).toBe(true);
    expect((await client.get(configMapKind, ref)).metadata.name).toBe('a');
  });

  it('stores nothing in a dry run', async () => {
    const namespace = await newNamespace(client);
    await client.create(configMapKind, configMap(namespace, 'a', {}), { dryRun: true });
    await client.apply(configMapKind, configMap(namespace, 'b', {}), { fieldManager: 'test', dryRun: true });
    expect((await client.list(configMapKind, { namespace, labelSelector: 'test=yes' })).items).toEqual([]);
  });

  it('refuses a field that the kind does not have, and names it', async () => {
    const namespace = await newNamespace(client);
    const wrong = { ...configMap(namespace, 'a', {}), dta: { k: '1' } };
    const error = await failureOf(client.create(configMapKind, wrong));
    expect(error.isInvalid()).toBe(true);
    expect(error.message).toContain('unknown field "dta"');
  });

  it('patches with JSON patch', async () => {
    const namespace = await newNamespace(client);
    const { metadata } = await client.create(configMapKind, configMap(namespace, 'a', { k: '1' }));
    const patched = await client.patch(configMapKind, metadata, {
      type: 'json',
      body: [{ op: 'replace', path: '/data/k', value: '2' }],
    });
    expect(patched.data).toEqual({ k: '2' });
  });

  it('reads a list in pages and fills in the kind that items of a list lack', async () => {
    const namespace = await newNamespace(client);
    for (const name of ['a', 'b', 'c']) await client.create(configMapKind, configMap(namespace, name, {}));
    const first = await client.list(configMapKind, { namespace, limit: 2, labelSelector: 'test=yes' });
    expect(first.items.map((item) => [item.kind, item.apiVersion, item.metadata.name])).toEqual([
      ['ConfigMap', 'v1', 'a'],
      ['ConfigMap', 'v1', 'b'],
    ]);
    if (!first.continueToken) throw new Error('the first page of two must have a continue token');
    const second = await client.list(configMapKind, {
      namespace,
      limit: 2,
      labelSelector: 'test=yes',
      continueToken: first.continueToken,
    });
    expect(second.items.map((item) => item.metadata.name)).toEqual(['c']);
    expect(second.continueToken).toBeUndefined();
  });

  it('ends a call when its signal is aborted or its time is over, and says which', async () => {
    const aborted = await failureOf(
      client.get(configMapKind, { namespace: 'default', name: 'a' }, { signal: AbortSignal.abort() }),
    );
    expect([aborted.isAborted(), aborted.isTransient()]).toEqual([true, false]);
    // An answer that goes on for longer than is waited for.
    const query = { watch: 'true', timeoutSeconds: '30' };
    const path = '/api/v1/namespaces/default/configmaps';
    const late = await failureOf(client.raw({ method: 'GET', path, query, timeoutMs: 50 }));
    expect([late.reason, late.isTransient()]).toEqual(['Timeout', true]);
  });

  it('makes raw calls', async () => {
    expect(await client.raw({ method: 'GET', path: '/version' })).toMatchObject({ major: '1' });
  });

  it('names a kind that the server does not know', async () => {
    const kind: KindRef<KubeObject> = {
      group: 'no.such',
      version: 'v1',
      plural: 'nothings',
      kind: 'Nothing',
      namespaced: false,
    };
    const error = await failureOf(client.list(kind));
    expect(error).toMatchObject({ reason: 'PathNotFound', message: expect.stringContaining('list nothings') });
  });
});

describe('server-side apply', () => {
  it('creates with the first apply, and removes what the manager applied before and now leaves out', async () => {
    const namespace = await newNamespace(client);
    const options = { fieldManager: 'drover-test' };
    await client.apply(configMapKind, configMap(namespace, 'a', { k: '1', gone: 'x' }), options);
    const second = await client.apply(configMapKind, configMap(namespace, 'a', { k: '1' }), options);
    expect(second.data).toEqual({ k: '1' });
  });

  it('reports a conflict with field and owner, and takes the field only by force', async () => {
    const namespace = await newNamespace(client);
    await client.apply(configMapKind, configMap(namespace, 'a', { k: '1' }), { fieldManager: 'first-owner' });
    const wanted = configMap(namespace, 'a', { k: '2' });
    const error = await failureOf(client.apply(configMapKind, wanted, { fieldManager: 'second' }));
    expect(error.isConflict()).toBe(true);
    expect(error.fieldConflicts).toEqual([{ field: '.data.k', owner: 'first-owner' }]);
    const forced = await client.apply(configMapKind, wanted, { fieldManager: 'second', force: true });
    expect(forced.data).toEqual({ k: '2' });
  });

  it('takes a resourceVersion as a precondition', async () => {
    const namespace = await newNamespace(client);
    const first = await client.apply(configMapKind, configMap(namespace, 'a', { k: '1' }), { fieldManager: 'test' });
    await client.patch(configMapKind, first.metadata, {
      type: 'merge',
      body: { metadata: { labels: { other: 'x' } } },
    });
    const wanted = configMap(namespace, 'a', { k: '2' });
    const stale = { ...wanted, metadata: { ...wanted.metadata, resourceVersion: first.metadata.resourceVersion } };
    const error = await failureOf(client.apply(configMapKind, stale, { fieldManager: 'test' }));
    expect([error.isConflict(), error.fieldConflicts]).toEqual([true, []]);
  });
});
