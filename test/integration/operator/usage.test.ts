import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { operatorCertificateInformer, publishedCertificate } from '../../../src/agent/usage/operator-certificate.ts';
import { serveUsage } from '../../../src/agent/usage/server.ts';
import { SYSTEM_NAMESPACE } from '../../../src/api/common/names.ts';
import { Host } from '../../../src/api/host.ts';
import { type HostUsage, OPERATOR_CLIENT_CONFIG_MAP } from '../../../src/api/usage.ts';
import type { KindRef } from '../../../src/kube/index.ts';
import { selfSignedCertificate } from '../../../src/runtime/certificate.ts';
import { createLogger, createMetrics, systemClock } from '../../../src/runtime/index.ts';
import { waitFor } from '../../lab/wait.ts';
import { World } from './world.ts';

const configMaps: KindRef = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
const log = createLogger({ name: 'agent', level: 'error' });

let world: World;

beforeAll(async () => {
  world = await World.open('operator-usage');
  world.startOperator();
}, 120_000);
afterAll(async () => await world.close());

function usageOf(host: string, ...virtualMachines: { uid: string; name: string; cpuSeconds: number }[]): HostUsage {
  const memory = { currentBytes: 2 ** 24, maximumBytes: 2 ** 24, residentBytes: 3 * 2 ** 20 };
  return {
    host,
    at: new Date().toISOString(),
    bootID: 'boot',
    cpu: {
      hardwareThreads: 8,
      userSeconds: 1,
      systemSeconds: 2,
      guestSeconds: 3,
      ioWaitSeconds: 0,
      idleSeconds: 9,
      stealSeconds: 0,
    },
    memory: { totalBytes: 2 ** 34, availableBytes: 2 ** 33, swapTotalBytes: 0, swapFreeBytes: 0 },
    virtualMachines: virtualMachines.map((vm) => ({
      ...vm,
      namespace: 'default',
      vcpus: 1,
      memory,
      disks: [{ name: 'vda', readBytes: 512, writtenBytes: 0, readOperations: 1, writeOperations: 0 }],
      nics: [],
    })),
  };
}

/** The agent's own server, with the pin from the real ConfigMap; the figures are the test's. */
async function startAgent(host: string, usage: () => HostUsage) {
  const operatorCertificate = operatorCertificateInformer({ client: world.client });
  const stop = new AbortController();
  const watching = operatorCertificate.run(stop.signal);
  const certificate = await selfSignedCertificate({
    commonName: host,
    addresses: ['127.0.0.1'],
    now: new Date(),
    days: 1,
  });
  const server = await serveUsage({
    ...certificate,
    address: '127.0.0.1',
    port: 0,
    clientCertificatePem: () => publishedCertificate(operatorCertificate),
    measure: async () => usage(),
    leases: () => ({ host, leases: [] }),
    clock: systemClock,
    log,
    metrics: createMetrics(),
  });
  onTestFinished(async () => {
    stop.abort();
    await Promise.all([watching, server.close()]);
  });
  return { address: '127.0.0.1', usagePort: server.port, usageCertificate: certificate.certificatePem };
}

async function metricsWhen(what: string, holds: (text: string) => boolean): Promise<string> {
  return await waitFor(
    what,
    async () => {
      const text = await world.operatorMetrics();
      return holds(text) ? { ready: true, value: text } : { ready: false, because: 'the metrics do not show it' };
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  );
}

it('shows the load of each host and of the VMs that were placed there', async () => {
  const { metadata } = await world.addVM('web');
  const status = await startAgent('loaded', () =>
    usageOf(
      'loaded',
      { uid: metadata.uid, name: 'web', cpuSeconds: 12.5 },
      { uid: 'uid-of-another', name: 'elsewhere', cpuSeconds: 1 },
    ),
  );
  await world.addHost('loaded', status);
  const text = await metricsWhen('the VM', (seen) => seen.includes('drover_vm_cpu_seconds_total{'));
  expect(text).toContain('drover_vm_cpu_seconds_total{host="loaded",namespace="default",name="web"} 12.5');
  expect(text).toContain(
    'drover_vm_memory_bytes{host="loaded",namespace="default",name="web",state="resident"} 3145728',
  );
  expect(text).toContain(
    'drover_vm_disk_bytes_total{host="loaded",namespace="default",name="web",disk="vda",direction="read"} 512',
  );
  expect(text).toContain('drover_host_cpu_seconds_total{host="loaded",mode="guest"} 3');
  expect(text).toContain('drover_host_memory_bytes{host="loaded",state="available"} 8589934592');
  // An agent is not believed about VMs of other hosts, and what it does not tell is no zero.
  expect(text).not.toContain('elsewhere');
  expect(text).not.toContain('state="usable"');
});

it('believes nobody but the agent that Host.status names', async () => {
  const status = await startAgent('posed', () => usageOf('posed'));
  const other = await selfSignedCertificate({
    commonName: 'posed',
    addresses: ['127.0.0.1'],
    now: new Date(),
    days: 1,
  });
  await world.addHost('posed', { ...status, usageCertificate: other.certificatePem });
  await metricsWhen('the refusal', (text) =>
    text.includes('drover_reconcile_total{controller="usage",outcome="AgentUnreachable"}'),
  );
  expect(await world.operatorMetrics()).not.toContain('host="posed"');
});

it('takes no figures from a host that gives itself out as another', async () => {
  const status = await startAgent('liar', () => usageOf('loaded'));
  await world.addHost('liar', status);
  const before = await world.operatorMetrics();
  await metricsWhen('another refusal', (text) => refusals(text) > refusals(before));
  expect(await world.operatorMetrics()).not.toContain('host="liar"');
});

it('publishes its certificate again when somebody has deleted it', async () => {
  const status = await startAgent('patient', () => usageOf('patient'));
  await world.addHost('first', await startAgent('first', () => usageOf('first')));
  await metricsWhen('the first host', (text) => text.includes('host="first"'));
  await world.client.delete(configMaps, { namespace: SYSTEM_NAMESPACE, name: OPERATOR_CLIENT_CONFIG_MAP });
  await world.addHost('patient', status);
  await metricsWhen('the host', (text) => text.includes('host="patient"'));
});

it('forgets a host that is gone', async () => {
  await world.addHost('leaving', await startAgent('leaving', () => usageOf('leaving')));
  await metricsWhen('the host', (text) => text.includes('host="leaving"'));
  await world.client.delete(Host, { name: 'leaving' });
  await metricsWhen('it gone', (text) => !text.includes('host="leaving"'));
});

function refusals(text: string): number {
  const [, count = '0'] =
    /drover_reconcile_total\{controller="usage",outcome="AgentUnreachable"\} (\d+)/.exec(text) ?? [];
  return Number(count);
}
