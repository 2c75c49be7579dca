import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { heartbeat } from '../../../src/agent/heartbeat/heartbeat.ts';
import { GuestCpus } from '../../../src/agent/host-report/guest-cpu.ts';
import { hostReport, type Reporting } from '../../../src/agent/host-report/host-report.ts';
import { agentInformers } from '../../../src/agent/informers.ts';
import { SYSTEM_NAMESPACE } from '../../../src/api/common/names.ts';
import { Host, type HostStatus } from '../../../src/api/host.ts';
import { KubeClient, KubeError, type Lease, leaseKind, loadConfig } from '../../../src/kube/index.ts';
import { createMetrics, findCondition, systemClock } from '../../../src/runtime/index.ts';
import { installCrds } from '../api/install-crds.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { useLibvirt } from '../libvirt/context.ts';
import { Administrator, testLog, uniqueName } from './storage-host.ts';

const admin = new Administrator(sharedClient());
const connection = loadConfig({ kubeconfigPath: inject('kubeconfig') });
const context = useLibvirt();

beforeAll(async () => {
  await installCrds(admin.client);
  const namespace = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };
  await admin.client.apply(
    namespace,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE } },
    { fieldManager: 'test', force: true },
  );
});

afterAll(() => admin.undoAll());

/** A part of the report that the test changes. */
function part<T>(value: T): Reporting<T> & { set(next: T): void } {
  let current = value;
  const listeners = new Set<() => void>();
  return {
    report: () => current,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set: (next) => {
      current = next;
      for (const listener of listeners) listener();
    },
  };
}

interface Reported {
  host: string;
  writes: string[];
  datastores: ReturnType<typeof part<HostStatus['datastores']>>;
  domains: ReturnType<typeof part<Pick<HostStatus, 'foreignDomains' | 'strayDomains'>>>;
  status(): Promise<HostStatus | undefined>;
  ready(status: 'True' | 'False' | 'Unknown'): Promise<HostStatus>;
}

function startReport(): Reported {
  const host = uniqueName('host');
  const writes: string[] = [];
  const client = new KubeClient({
    connection,
    userAgent: 'drover-agent',
    onCall: ({ verb, resource }) => {
      if (!['get', 'list', 'watch'].includes(verb)) writes.push(`${verb} ${resource}`);
    },
  });
  const informers = agentInformers(client, host, systemClock, testLog);
  const datastores = part<HostStatus['datastores']>([]);
  const domains = part<Pick<HostStatus, 'foreignDomains' | 'strayDomains'>>({ foreignDomains: [], strayDomains: [] });
  const report = hostReport({
    isolation: {
      report: () => ({ type: 'Isolated', status: 'False', reason: 'Connected', message: '' }),
      onChange: () => () => undefined,
    },
    host,
    client,
    hosts: informers.hosts,
    libvirt: context.libvirt,
    virtualization: { type: 'qemu', reason: 'Configured', message: 'chosen by the administrator' },
    guestCpus: new GuestCpus(context.libvirt, 'qemu'),
    bootID: '6d3c2c50-5b1b-4f0e-9d0e-0d8f3a1c7e01',
    agentVersion: '1.2.3',
    sealingKey: 'public',
    storageLease: part<HostStatus['storageLease']>(undefined),
    datastores,
    switches: part<HostStatus['switches']>([]),
    domains,
    certificate: part({
      tlsPublicKey: 'public',
      ready: { ok: true, reason: 'CertificateInstalled', message: 'its certificate is good' },
    }),
    incoming: part<HostStatus['incomingMigrations']>([]),
    clock: systemClock,
    log: testLog,
    metrics: createMetrics(),
  });
  const stop = new AbortController();
  const running = [informers.hosts.run(stop.signal), report.run(stop.signal)];
  onTestFinished(async () => {
    stop.abort();
    await Promise.all(running);
    await client.close();
    await admin.client.delete(Host, { name: host });
  });
  const status = async () => {
    try {
      return (await admin.client.get<Host>(Host, { name: host })).status;
    } catch (error) {
      if (error instanceof KubeError && error.isNotFound()) return undefined;
      throw error;
    }
  };
  const ready = async (wanted: string) =>
    await eventually(
      `the host is Ready=${wanted}`,
      async () => {
        const seen = await status();
        return findCondition(seen?.conditions, 'Ready')?.status === wanted && seen;
      },
      60_000,
    );
  return { host, writes, datastores, domains, status, ready };
}

describe('the report of a host', () => {
  it('registers it and says what it is, in two writes', async () => {
    const reported = startReport();
    const status = await reported.ready('True');
    expect(status).toMatchObject({
      bootID: '6d3c2c50-5b1b-4f0e-9d0e-0d8f3a1c7e01',
      virtualization: 'qemu',
      sealingKey: 'public',
      versions: {
        agent: '1.2.3',
        libvirt: expect.stringMatching(/^\d+\.\d+\.\d+$/),
        qemu: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      },
    });
    expect(status.capacity?.cpuCores).toBeGreaterThanOrEqual(1);
    expect(status.capacity?.memoryBytes).toBeGreaterThan(2 ** 28);
    expect(status.cpu?.sockets).toBeGreaterThanOrEqual(1);
    // QEMU emulates these, whatever the machine.
    expect(status.cpu?.usableModels).toEqual(expect.arrayContaining(['Nehalem', 'Westmere', 'qemu64']));
    expect(status.cpu?.usableModels).not.toContain('Icelake-Server-noTSX');
    expect(status.cpu?.features).toEqual(expect.arrayContaining(['aes', 'lm', 'sse4.2']));
    const unusable = new Map(status.cpu?.unusableLevels.map(({ name, missingFeatures }) => [name, missingFeatures]));
    expect(unusable.get('Westmere-IBRS')).toEqual(['spec-ctrl']);
    expect(unusable.get('Icelake-Server-noTSX')).toContain('avx512f');
    expect(unusable.has('Westmere')).toBe(false);
    // Whatever the machine is, its cells are all of it.
    const threads = (status.numaCells ?? []).reduce((sum, cell) => sum + cell.threads, 0);
    expect(threads).toBe(status.capacity?.cpuCores);
    expect(status.numaCells?.[0]?.memoryBytes).toBeGreaterThan(2 ** 28);
    expect(findCondition(status.conditions, 'KVMAvailable')).toMatchObject({ status: 'False', reason: 'Configured' });
    const { metadata } = await admin.client.get<Host>(Host, { name: reported.host });
    expect(metadata.labels).toMatchObject({ 'kubernetes.io/hostname': reported.host });
    await eventually('the writes are noted', () => Promise.resolve(reported.writes.length >= 2));
    expect(reported.writes).toEqual(['create hosts', 'apply hosts/status']);
  });

  it('is written only when it would say something else', async () => {
    const reported = startReport();
    await reported.ready('True');
    for (let look = 0; look < 5; look++) reported.datastores.set([]);
    const stray = { uuid: 'u', virtualMachine: 'default/web', epoch: 3, message: 'left running' };
    reported.domains.set({ foreignDomains: [{ uuid: 'f', name: 'old', state: 'running' }], strayDomains: [stray] });
    await eventually('the domains are reported', async () => (await reported.status())?.strayDomains.length === 1);
    // A call is noted when its answer has come, a moment after what it wrote can be read.
    await eventually('the writes are noted', () => Promise.resolve(reported.writes.length >= 3));
    expect(reported.writes).toEqual(['create hosts', 'apply hosts/status', 'apply hosts/status']);
  });

  it('takes back what the operator said while the agent was silent', async () => {
    const reported = startReport();
    await reported.ready('True');
    const condition = {
      type: 'Ready',
      status: 'Unknown',
      reason: 'AgentNotResponding',
      message: '',
      lastTransitionTime: new Date().toISOString(),
    };
    await admin.operatorWrites(Host, { name: reported.host }, { conditions: [condition] });
    await reported.ready('True');
  });

  it('says that libvirt does not answer, keeps what it knows, and says when it is back', async () => {
    const reported = startReport();
    const before = await reported.ready('True');
    await context.daemon.kill();
    const away = await reported.ready('False');
    expect(findCondition(away.conditions, 'Ready')).toMatchObject({ reason: 'LibvirtUnreachable' });
    expect({ cpu: away.cpu, versions: away.versions }).toEqual({ cpu: before.cpu, versions: before.versions });
    await context.daemon.up();
    await reported.ready('True');
  });

  it('comes back when somebody deletes the Host', async () => {
    const reported = startReport();
    await reported.ready('True');
    await admin.client.delete(Host, { name: reported.host });
    await reported.ready('True');
  });
});

describe('the heartbeat of a host', () => {
  function beat(client: KubeClient, host: string) {
    const metrics = createMetrics();
    const { run } = heartbeat({
      client,
      host,
      durationSeconds: 3,
      intervalMs: 100,
      clock: systemClock,
      log: testLog,
      metrics,
    });
    const stop = new AbortController();
    const running = run(stop.signal);
    onTestFinished(async () => {
      stop.abort();
      await running;
    });
    const sample = async (name: string) => {
      const metric = await metrics.registry.getSingleMetric(name)?.get();
      return metric?.values.map(({ value, labels }) => ({ value, labels })) ?? [];
    };
    return { sample };
  }

  const leaseOf = async (host: string) =>
    await admin.client.get<Lease>(leaseKind, { namespace: SYSTEM_NAMESPACE, name: `host-${host}` });

  it('is a lease that is renewed again and again', async () => {
    const host = uniqueName('host');
    const { sample } = beat(admin.client, host);
    const times = new Set<string | undefined>();
    await eventually('three renewals', async () => {
      times.add((await leaseOf(host).catch(() => undefined))?.spec?.renewTime);
      return [...times].filter((time) => time !== undefined).length >= 3;
    });
    expect((await leaseOf(host)).spec).toMatchObject({ holderIdentity: host, leaseDurationSeconds: 3 });
    expect(await sample('drover_heartbeat_event_loop_lag_max_seconds')).toMatchObject([{ value: expect.any(Number) }]);
    await admin.client.delete(leaseKind, { namespace: SYSTEM_NAMESPACE, name: `host-${host}` });
  });

  it('goes on through an outage of the API server and is back by itself', async () => {
    const host = uniqueName('host');
    let isDown = true;
    // The same client, whose calls fail for a while as they do when nobody listens.
    const nobody = new KubeClient({ connection: { ...connection, server: 'https://127.0.0.1:1' }, userAgent: 'test' });
    onTestFinished(() => nobody.close());
    const apply: KubeClient['apply'] = async (...call) => await (isDown ? nobody : admin.client).apply(...call);
    const { sample } = beat(Object.assign(Object.create(admin.client), { apply }), host);
    const failed = async () =>
      (await sample('drover_heartbeat_renewals_total')).find(({ labels }) => labels['outcome'] === 'failed');
    await eventually('two failures', async () => ((await failed())?.value ?? 0) >= 2);
    isDown = false;
    await eventually('a renewal', async () => (await leaseOf(host).catch(() => undefined)) !== undefined);
    await admin.client.delete(leaseKind, { namespace: SYSTEM_NAMESPACE, name: `host-${host}` });
  });
});
