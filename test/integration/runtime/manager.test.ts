import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type KubeClient, type LeaderElectionOptions, loadConfig } from '../../../src/kube/index.ts';
import { createMetrics, type ManagerOutcome } from '../../../src/runtime/index.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { type ConfigMap, configMap, configMapKind, newNamespace } from '../kube/objects.ts';
import { type CopierOptions, copier } from './copier.ts';

const admin = sharedClient();
afterAll(() => admin.close());

let namespace = '';
beforeEach(async () => {
  namespace = await newNamespace(admin);
});

interface Running {
  client: KubeClient;
  stop: AbortController;
  outcome: Promise<ManagerOutcome>;
  http: (path: string) => Promise<{ status: number; text: string }>;
  /** Calls of the API, without watches: they end when they like. */
  calls: string[];
}

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function start(
  options: Partial<Omit<CopierOptions, 'client'>> & { lead?: Partial<LeaderElectionOptions>; server?: string } = {},
): Running {
  const calls: string[] = [];
  const metrics = createMetrics();
  const { lead, server, ...rest } = options;
  const connection = loadConfig({ kubeconfigPath: inject('kubeconfig') });
  const client = sharedClient({
    ...(server && { connection: { ...connection, server } }),
    onCall: (call) => {
      metrics.onApiCall(call);
      if (call.verb !== 'watch') calls.push(`${call.verb} ${call.resource}`);
    },
  });
  const election = lead && {
    client,
    lease: { namespace, name: 'copier' },
    identity: 'a',
    leaseDurationMs: 3_000,
    ...lead,
  };
  const manager = copier({
    client,
    metrics,
    namespace,
    http: { host: '127.0.0.1', port: 0 },
    ...rest,
    ...(election && { leaderElection: election }),
  });
  const stop = new AbortController();
  const outcome = manager.run(stop.signal);
  cleanups.push(async () => {
    stop.abort();
    await outcome;
    await client.close();
  });
  return {
    client,
    stop,
    outcome,
    calls,
    http: async (path) => {
      const address = await eventually('the endpoints listen', () => manager.httpAddress);
      const answer = await fetch(`http://${address.host}:${address.port}${path}`);
      return { status: answer.status, text: await answer.text() };
    },
  };
}

function original(name: string, k: string): ConfigMap {
  const object = configMap(namespace, name, { k });
  return { ...object, metadata: { ...object.metadata, labels: { copy: 'yes' } } };
}

const copyOf = async (name: string) =>
  (await admin.get(configMapKind, { namespace, name: `${name}-copy` })).data?.['k'];
const copied = (name: string, k: string) =>
  eventually(`${name} is copied as ${k}`, () =>
    copyOf(name).then(
      (value) => value === k,
      () => false,
    ),
  );

describe('Manager', () => {
  it('makes the world as wanted, and makes it again when someone else changes it', async () => {
    await admin.create(configMapKind, original('before', '1'));
    start();
    await copied('before', '1');
    await admin.create(configMapKind, original('after', '1'));
    await copied('after', '1');
    await admin.patch(configMapKind, { namespace, name: 'after' }, { type: 'merge', body: { data: { k: '2' } } });
    await copied('after', '2');
    await admin.delete(configMapKind, { namespace, name: 'after-copy' });
    await copied('after', '2');
  });

  it('makes no call of the API in passes that find nothing to do', async () => {
    for (const name of ['a', 'b', 'c']) await admin.create(configMapKind, original(name, '1'));
    const first = start();
    for (const name of ['a', 'b', 'c']) await copied(name, '1');
    first.stop.abort();
    await first.outcome;
    const second = start();
    await eventually('every key had its pass', async () => {
      const passes = /drover_reconcile_total\{controller="copier",outcome="done"\} (\d+)/.exec(
        (await second.http('/metrics')).text,
      );
      return Number(passes?.[1] ?? 0) >= 3;
    });
    expect(second.calls.toSorted()).toEqual(['list configmaps', 'list configmaps']);
  });

  it('serves health, readiness and metrics', async () => {
    const { http } = start({ lead: {} });
    await eventually('ready', async () => (await http('/readyz')).status === 200);
    expect(await http('/healthz')).toEqual({ status: 200, text: 'ok\n' });
    await eventually('leads', async () => (await http('/metrics')).text.includes('\ndrover_leader 1\n'));
    const { text } = await http('/metrics');
    expect(text).toMatch(/drover_api_calls_total\{verb="list",resource="configmaps",code="200"\} 2/);
    expect(text).toContain('drover_queue_keys{controller="copier",state="due"} 0');
    expect(text).toContain('process_resident_memory_bytes');
    expect((await http('/')).status).toBe(404);
  });

  it('is not ready before its caches are, and says which', async () => {
    // Port 1 (tcpmux) is never listened on.
    const { http, stop, outcome } = start({ server: 'https://127.0.0.1:1' });
    const { status, text } = await http('/readyz');
    expect([status, text]).toEqual([503, 'waiting for the first list of configmaps, configmaps\n']);
    stop.abort();
    expect(await outcome).toBe('stopped');
  });

  it('lets the next one work when the first stops, at once', async () => {
    const first = start({ lead: { identity: 'first' } });
    await admin.create(configMapKind, original('a', '1'));
    await copied('a', '1');
    start({ lead: { identity: 'second' } });
    first.stop.abort();
    expect(await first.outcome).toBe('stopped');
    await admin.create(configMapKind, original('b', '1'));
    await copied('b', '1');
  });

  it('ends, without writing, when it loses the lease in the middle of a pass', async () => {
    const inPass = Promise.withResolvers<void>();
    const running = start({
      lead: {},
      beforeWrite: async (_key, { signal, clock }) => {
        inPass.resolve();
        await clock.sleep(600_000, signal);
      },
    });
    await admin.create(configMapKind, original('a', '1'));
    await inPass.promise;
    const lease = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };
    await admin.patch(
      lease,
      { namespace, name: 'copier' },
      { type: 'merge', body: { spec: { holderIdentity: 'other' } } },
    );
    expect(await running.outcome).toBe('lost-leadership');
    await expect(copyOf('a')).rejects.toMatchObject({ code: 404 });
  });

  it('aborts passes that are still under way when the time to drain is over', async () => {
    const inPass = Promise.withResolvers<void>();
    const reasons: unknown[] = [];
    const running = start({
      drainTimeoutMs: 100,
      beforeWrite: async (_key, { signal, clock }) => {
        inPass.resolve();
        await clock.sleep(600_000, signal).catch((reason: unknown) => {
          reasons.push(reason);
          throw reason;
        });
      },
    });
    await admin.create(configMapKind, original('a', '1'));
    await inPass.promise;
    running.stop.abort();
    expect(await running.outcome).toBe('stopped');
    expect(reasons).toMatchObject([{ message: expect.stringContaining('still under way 100 ms after') }]);
  });

  it('drains on SIGTERM: the pass under way ends, no other begins, and the process ends by itself', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await admin.create(configMapKind, original(name, '1'));
    const program = join(import.meta.dirname, 'copier-process.ts');
    const child = spawn(process.execPath, [program, inject('kubeconfig'), namespace], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const exited = once(child, 'exit');
    // Four passes at once are the default; the other two keys wait.
    await eventually(
      'four passes are under way',
      () => output.split('\n').filter((line) => line.startsWith('pass')).length === 4,
    );
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(output.trim().split('\n').at(-1)).toBe('stopped');
    expect(output.match(/^pass /gm)).toHaveLength(4);
    const copies = await admin.list(configMapKind, { namespace, labelSelector: 'copy=is' });
    expect(copies.items).toHaveLength(4);
  });
});
