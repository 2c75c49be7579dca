import { type RequestOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { agentInformers } from '../../../src/agent/informers.ts';
import { measureUsage } from '../../../src/agent/usage/measure.ts';
import { publishedCertificate } from '../../../src/agent/usage/operator-certificate.ts';
import { serveUsage } from '../../../src/agent/usage/server.ts';
import { SYSTEM_NAMESPACE } from '../../../src/api/common/names.ts';
import { HostUsage, OPERATOR_CLIENT_CONFIG_MAP, USAGE_PATH } from '../../../src/api/usage.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { KubeClient as Client, type KindRef, type KubeClient, loadConfig } from '../../../src/kube/index.ts';
import { type Certificate, selfSignedCertificate } from '../../../src/runtime/certificate.ts';
import { createMetrics, systemClock } from '../../../src/runtime/index.ts';
import { instanceSpec } from '../../builders/virtual-machine-instance.ts';
import { installCrds } from '../api/install-crds.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { run } from '../host/scratch.ts';
import { diskXml } from '../libvirt/builders.ts';
import { startDomain, useLibvirt } from '../libvirt/context.ts';
import { Administrator, testLog, uniqueName } from './storage-host.ts';

const admin = new Administrator(sharedClient());
const context = useLibvirt();
const now = () => new Date();
const configMaps: KindRef = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
const namespaces: KindRef = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };

let client: KubeClient;

beforeAll(async () => {
  await installCrds(admin.client);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE } };
  await admin.client.apply(namespaces, namespace, { fieldManager: 'test', force: true });
  client = new Client({ connection: loadConfig({ kubeconfigPath: inject('kubeconfig') }), userAgent: 'drover-agent' });
});

afterAll(async () => {
  await admin.undoAll();
  await client.close();
});

const certificateOf = (commonName: string, days = 1) => selfSignedCertificate({ commonName, now: now(), days });

async function publish(certificate: string): Promise<void> {
  const metadata = { namespace: SYSTEM_NAMESPACE, name: OPERATOR_CLIENT_CONFIG_MAP };
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { certificate } };
  await admin.client.apply(configMaps, object, { fieldManager: 'test-usage', force: true });
}

/** The agent's server, with the pin from the real ConfigMap and figures from the real libvirt. */
async function startServer() {
  const host = uniqueName('host');
  const informers = agentInformers(client, host, systemClock, testLog);
  const stop = new AbortController();
  const { instances, operatorCertificate } = informers;
  const running = [instances.run(stop.signal), operatorCertificate.run(stop.signal)];
  await Promise.all([instances.synced(), operatorCertificate.synced()]);
  const common = {
    host,
    libvirt: context.libvirt,
    instances,
    clock: systemClock,
    log: testLog,
    metrics: createMetrics(),
  };
  const measure = measureUsage({ ...common, bootID: 'boot' });
  const server = await certificateOf(host);
  const pin = () => publishedCertificate(operatorCertificate);
  const { port, close } = await serveUsage({
    ...common,
    ...server,
    address: '127.0.0.1',
    port: 0,
    clientCertificatePem: pin,
    measure,
    leases: () => ({ host, leases: [] }),
  });
  onTestFinished(async () => {
    stop.abort();
    await Promise.all([...running, close()]);
  });
  return { host, port, pin, measure, certificate: server.certificatePem };
}

/** Asks as the operator does: it trusts exactly the agent's certificate. */
async function ask(
  { port, certificate }: { port: number; certificate: string },
  as: Certificate | undefined,
  options: RequestOptions = {},
): Promise<{ status: number | undefined; body: string }> {
  return await new Promise((resolve, reject) => {
    const identity = as === undefined ? {} : { cert: as.certificatePem, key: as.privateKeyPem };
    const call = request(
      {
        host: '127.0.0.1',
        port,
        path: USAGE_PATH,
        ca: certificate,
        checkServerIdentity: () => undefined,
        agent: false,
        timeout: 20_000,
        ...identity,
        ...options,
      },
      (response) => text(response).then((body) => resolve({ status: response.statusCode, body }), reject),
    );
    call.on('error', reject);
    call.end();
  });
}

describe('load figures', () => {
  it('are served to the client whose certificate the operator published', async () => {
    const operator = await certificateOf('operator');
    const server = await startServer();
    await publish(operator.certificatePem);
    await eventually('the pin', () => server.pin() === operator.certificatePem);
    const { status, body } = await ask(server, operator);
    expect(status).toBe(200);
    const usage = HostUsage.parse(JSON.parse(body));
    expect(usage).toMatchObject({ host: server.host, bootID: 'boot', virtualMachines: [] });
    expect(usage.cpu.userSeconds + usage.cpu.systemSeconds).toBeGreaterThan(0);
    expect(usage.memory.totalBytes).toBeGreaterThan(usage.memory.availableBytes);
  });

  it('are refused to everybody else, before a byte of the request is read', async () => {
    const [operator, stranger] = [await certificateOf('operator'), await certificateOf('operator')];
    const server = await startServer();
    await publish(operator.certificatePem);
    await eventually('the pin', () => server.pin() === operator.certificatePem);
    for (const client of [undefined, stranger])
      await expect(ask(server, client)).rejects.toThrow(/socket hang up|ECONNRESET|alert/);
    // The right certificate with a key that is not its own is no identity at all.
    await expect(ask(server, { ...operator, privateKeyPem: stranger.privateKeyPem })).rejects.toThrow(/key/i);
  });

  it('follow a new certificate at once; the old one is let in no more', async () => {
    const [old, next] = [await certificateOf('operator'), await certificateOf('operator')];
    const server = await startServer();
    await publish(old.certificatePem);
    await eventually('the old pin', () => server.pin() === old.certificatePem);
    expect((await ask(server, old)).status).toBe(200);
    await publish(next.certificatePem);
    await eventually('the new pin', () => server.pin() === next.certificatePem);
    expect((await ask(server, next)).status).toBe(200);
    await expect(ask(server, old)).rejects.toThrow(/socket hang up|ECONNRESET|alert/);
  });

  it.each([
    ['an expired one', async () => await selfSignedCertificate({ commonName: 'operator', now: new Date(0), days: 1 })],
    ['no certificate at all', async () => ({ ...(await certificateOf('operator')), published: 'rubbish' })],
  ])('are refused while %s is published', async (_what, make) => {
    const made: Certificate & { published?: string } = await make();
    const server = await startServer();
    const published = made.published ?? made.certificatePem;
    await publish(published);
    await eventually('the pin', () => server.pin() === published);
    await expect(ask(server, made)).rejects.toThrow(/socket hang up|ECONNRESET|alert/);
  });

  it('are the only thing served', async () => {
    const operator = await certificateOf('operator');
    const server = await startServer();
    await publish(operator.certificatePem);
    await eventually('the pin', () => server.pin() === operator.certificatePem);
    expect((await ask(server, operator, { path: '/metrics' })).status).toBe(404);
    expect((await ask(server, operator, { method: 'POST' })).status).toBe(405);
  });

  it('name each VM with what it used, and leave out domains that are not Drover’s', async () => {
    const server = await startServer();
    const uuid = 'd0000000-0000-4000-8000-0000000000a1';
    const metadata = { name: uniqueName('web'), namespace: 'default' };
    const spec = instanceSpec({ host: server.host, domainUUID: uuid, virtualMachineUID: 'uid-of-web' });
    await admin.create(VirtualMachineInstance, { metadata, spec });
    const disk = `${context.daemon.imagesPath}/usage.qcow2`;
    run('qemu-img', 'create', '-q', '-f', 'qcow2', disk, '1M');
    await startDomain(context.libvirt, { name: metadata.name, uuid, devices: diskXml(disk) });
    await startDomain(context.libvirt, { name: uniqueName('foreign') });
    const vms = await eventually('the VM', async () => {
      const { virtualMachines } = await server.measure();
      return virtualMachines.length > 0 && virtualMachines;
    });
    expect(vms).toMatchObject([
      { uid: 'uid-of-web', ...metadata, vcpus: 1, memory: { maximumBytes: 16 * 2 ** 20 }, disks: [{ name: 'vda' }] },
    ]);
    const later = await eventually('its CPU time grows', async () => {
      const [vm] = (await server.measure()).virtualMachines;
      return vm !== undefined && vm.cpuSeconds > (vms[0]?.cpuSeconds ?? 0) && vm;
    });
    expect(later.memory.residentBytes).toBeGreaterThan(0);
  });

  it('cost libvirt one call a second, however many ask', async () => {
    const server = await startServer();
    const [first, second] = await Promise.all([server.measure(), server.measure()]);
    expect(second).toBe(first);
    const later = await eventually('a new measurement', async () => {
      const usage = await server.measure();
      return usage !== first && usage;
    });
    expect(Date.parse(later.at) - Date.parse(first.at)).toBeGreaterThanOrEqual(990);
  });
});
