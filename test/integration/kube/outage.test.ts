import { cpSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Change,
  KubeClient,
  type KubeClientOptions,
  loadConfig,
  SharedInformer,
} from '../../../src/kube/index.ts';
import { WorkQueue } from '../../../src/runtime/index.ts';
import { adminClient, type OwnControlPlane, startOwnControlPlane } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { type Line, overLine } from './line.ts';
import { type ConfigMap, configMap, configMapKind, newNamespace } from './objects.ts';

// A cluster of its own: these tests kill it, compact it and cut the line to it.
let own: OwnControlPlane;
let direct: KubeClient;
beforeAll(async () => {
  own = await startOwnControlPlane('outage');
  direct = adminClient(own.controlPlane.kubeconfig);
});
afterAll(async () => {
  await direct?.close();
  await own?.remove();
});

interface Watcher {
  informer: SharedInformer<ConfigMap>;
  line: Line;
  /** Verbs of finished calls; a watch is finished when it ends. */
  calls: string[];
  errors: unknown[];
  changes: string[];
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function startWatcher(namespace: string, more: Partial<KubeClientOptions> = {}): Promise<Watcher> {
  const calls: string[] = [];
  const errors: unknown[] = [];
  const changes: string[] = [];
  const { line, options } = await overLine(own.controlPlane.kubeconfig);
  const client = new KubeClient({ ...options, ...more, onCall: ({ verb }) => calls.push(verb) });
  const informer = new SharedInformer<ConfigMap>({
    client,
    kind: configMapKind,
    namespace,
    labelSelector: 'test=yes',
    backoff: { initialMs: 50, maxMs: 500, factor: 2, jitterFraction: 0.5 },
    onError: (error) => errors.push(error),
  });
  informer.onChange((change: Change<ConfigMap>) =>
    changes.push(`${change.type} ${change.object.metadata.name} ${change.object.data?.['k']}`),
  );
  const stop = new AbortController();
  const run = informer.run(stop.signal);
  cleanups.push(async () => {
    stop.abort();
    await run;
    await client.close();
    await line.close();
  });
  await informer.synced();
  return { informer, line, calls, errors, changes };
}

async function put(namespace: string, name: string, k: string): Promise<void> {
  await direct.apply(configMapKind, configMap(namespace, name, { k }), { fieldManager: 'test', force: true });
}

const lists = ({ calls }: Watcher) => calls.filter((verb) => verb === 'list').length;

describe('an informer whose API server fails', { timeout: 120_000 }, () => {
  it('goes on after the server was killed in the middle of a watch, and misses nothing', async () => {
    const namespace = await newNamespace(direct);
    await put(namespace, 'a', '1');
    const watcher = await startWatcher(namespace);
    await own.controlPlane.apiServer.kill();
    await eventually('the loss is noticed', () => watcher.errors.length > 0);
    expect(watcher.informer.get(`${namespace}/a`)?.data).toEqual({ k: '1' });
    await own.controlPlane.apiServer.start();
    await put(namespace, 'a', '2');
    await put(namespace, 'b', '1');
    await eventually('the changes after the restart are seen', () => watcher.changes.length === 3);
    expect(watcher.changes).toEqual(['added a 1', 'updated a 2', 'added b 1']);
  });

  it('resumes without a new list when only its connection broke', async () => {
    const namespace = await newNamespace(direct);
    await put(namespace, 'a', '1');
    const watcher = await startWatcher(namespace);
    watcher.line.cut();
    await put(namespace, 'a', '2');
    await put(namespace, 'b', '1');
    await direct.delete(configMapKind, { namespace, name: 'b' });
    await eventually('it tries in vain', () => watcher.errors.length >= 3);
    watcher.line.heal();
    await eventually('it caught up', () => watcher.changes.length === 4);
    expect(watcher.changes).toEqual(['added a 1', 'updated a 2', 'added b 1', 'deleted b 1']);
    expect(lists(watcher)).toBe(1);
  });

  it('lists again when its version expired, and tells what was deleted meanwhile', async () => {
    const namespace = await newNamespace(direct);
    for (const name of ['a', 'b', 'c']) await put(namespace, name, '1');
    const watcher = await startWatcher(namespace);
    watcher.line.cut();
    await put(namespace, 'a', '2');
    await direct.delete(configMapKind, { namespace, name: 'b' });
    await direct.delete(configMapKind, { namespace, name: 'c' });
    await put(namespace, 'c', 'another');
    // The server forgets old versions in etcd, and with its restart those that it remembered itself.
    await own.controlPlane.compactEtcd();
    await own.controlPlane.apiServer.restart();
    watcher.line.heal();
    await eventually('it caught up', () => watcher.changes.length === 7);
    expect(watcher.changes.slice(3).toSorted()).toEqual([
      'added c another',
      'deleted b 1',
      'deleted c 1',
      'updated a 2',
    ]);
    expect(watcher.errors).toContainEqual(expect.objectContaining({ code: 410 }));
    expect(lists(watcher)).toBe(2);
    expect(watcher.informer.keys()).toEqual([`${namespace}/a`, `${namespace}/c`]);
  });

  it('notices a line that died without a word, and resumes over a new one', async () => {
    const namespace = await newNamespace(direct);
    const watcher = await startWatcher(namespace, { watchSilenceMs: 1_500 });
    await put(namespace, 'a', '1');
    await eventually('the watch is open', () => watcher.changes.length === 1);
    watcher.line.silence();
    await put(namespace, 'a', '2');
    await eventually('the silence is noticed', () => watcher.errors.length > 0);
    expect(watcher.errors[0]).toMatchObject({ reason: 'Silent' });
    watcher.line.speak();
    await eventually('the change is seen', () => watcher.changes.length === 2);
    expect(lists(watcher)).toBe(1);
  });

  it('lists again when the server was set back to a backup, which takes versions of its future without a word', async () => {
    const { apiServer, etcd, kubeconfig } = own.controlPlane;
    const data = join(dirname(kubeconfig), 'etcd');
    const namespace = await newNamespace(direct);
    await put(namespace, 'a', '1');
    await apiServer.stop();
    await etcd.stop();
    cpSync(data, `${data}-backup`, { recursive: true });
    await etcd.start();
    await apiServer.start();
    for (let k = 2; k <= 50; k++) await put(namespace, 'a', String(k));
    await put(namespace, 'b', '1');
    const watcher = await startWatcher(namespace, { watchSilenceMs: 3_000 });
    expect(watcher.changes).toEqual(['added a 50', 'added b 1']);
    await apiServer.stop();
    await etcd.stop();
    rmSync(data, { recursive: true });
    renameSync(`${data}-backup`, data);
    await etcd.start();
    await apiServer.start();
    await eventually('the cache is set back too', () => watcher.changes.length === 4);
    expect(watcher.changes.slice(2)).toEqual(['deleted b 1', 'updated a 1']);
  });

  it('takes everything in one answer when the snapshot behind its pages expires between two of them', async () => {
    const namespace = await newNamespace(direct);
    for (let i = 0; i < 6; i++) await put(namespace, `n${i}`, '1');
    const connection = loadConfig({ kubeconfigPath: own.controlPlane.kubeconfig });
    const gate = Promise.withResolvers<void>();
    let requests = 0;
    // Asked for before each request: holds back the second page. The certificate alone authenticates.
    const token = async () => {
      requests += 1;
      if (requests === 2) await gate.promise;
      return '';
    };
    const answers: string[] = [];
    const client = new KubeClient({
      connection: { ...connection, token: { token, invalidate: () => undefined } },
      userAgent: 'drover-pages-test',
      onCall: ({ verb, code }) => answers.push(`${verb} ${code}`),
    });
    const informer = new SharedInformer<ConfigMap>({
      client,
      kind: configMapKind,
      namespace,
      labelSelector: 'test=yes',
      pageSize: 2,
    });
    const stop = new AbortController();
    const run = informer.run(stop.signal);
    await eventually('the second page is asked for', () => requests === 2);
    await direct.delete(configMapKind, { namespace, name: 'n5' });
    await own.controlPlane.compactEtcd();
    await own.controlPlane.apiServer.restart();
    gate.resolve();
    await informer.synced();
    expect(answers).toEqual(['list 200', 'list 410', 'list 200']);
    expect(informer.keys()).toEqual([0, 1, 2, 3, 4].map((i) => `${namespace}/n${i}`));
    stop.abort();
    await run;
    await client.close();
  });
});

describe('an informer that is slower than the changes', { timeout: 120_000 }, () => {
  it('ends up with the newest state, in memory that does not grow with the number of changes', async () => {
    const namespace = await newNamespace(direct);
    const objects = 20;
    const filler = 'x'.repeat(20_000);
    const names = Array.from({ length: objects }, (_, i) => `n${i}`);
    for (const name of names) await direct.create(configMapKind, configMap(namespace, name, { k: '0', filler }));
    const write = async (round: number) => {
      const patch = { type: 'merge', body: { data: { k: String(round) } } } as const;
      await Promise.all(names.map((name) => direct.patch(configMapKind, { namespace, name }, patch)));
    };
    const watcher = await startWatcher(namespace);
    const queue = new WorkQueue();
    watcher.informer.onChange(({ key }) => queue.add(key));
    const before = heapAfterGcBytes();
    const isCached = (round: number) => watcher.informer.list().every((object) => object.data?.['k'] === String(round));
    let rounds = 1;
    await write(rounds);
    await eventually('the watch is established', () => isCached(rounds));
    watcher.line.silence();
    const droppedBefore = await droppedWatches();
    // How much the buffers on the way hold differs by machine; when all are full, the server drops the watch.
    while ((await droppedWatches()) === droppedBefore) {
      if (++rounds > 1_000) throw new Error('the server keeps a watch that nobody reads');
      await write(rounds);
    }
    watcher.line.speak();
    await eventually('the newest state of all is cached', () => isCached(rounds));
    expect(watcher.calls).toContain('watch');
    expect(queue.depth.due).toBe(objects);
    const grownBytes = heapAfterGcBytes() - before;
    expect(grownBytes).toBeLessThan((objects * rounds * filler.length) / 4);
    queue.close();
  });
});

/** How many watches of ConfigMaps the server has ended because their clients did not keep up. */
async function droppedWatches(): Promise<number> {
  const metrics = await own.controlPlane.kubectl(['get', '--raw', '/metrics']);
  const line = /^apiserver_terminated_watchers_total\{.*resource="configmaps"\} (\d+)$/m.exec(metrics);
  return Number(line?.[1] ?? 0);
}

function heapAfterGcBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}
