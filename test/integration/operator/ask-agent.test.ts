import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { Host } from '../../../src/api/host.ts';
import { askAgent } from '../../../src/controllers/ha/ask-agent.ts';
import { selfSignedCertificate } from '../../../src/runtime/certificate.ts';

const signal = AbortSignal.timeout(30_000);

async function certificate(commonName: string) {
  return await selfSignedCertificate({ commonName, addresses: ['127.0.0.1'], now: new Date(), days: 1 });
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function served({ certificatePem, privateKeyPem }: Awaited<ReturnType<typeof certificate>>): Promise<number> {
  return await listening(createTlsServer({ cert: certificatePem, key: privateKeyPem }));
}

/** A Host that says where its agent is, and by what it is known. */
function host(usagePort: number, usageCertificate: string): Host {
  const status = { conditions: [], address: '127.0.0.1', usagePort, usageCertificate };
  return Host.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Host',
    metadata: { name: 'h1' },
    spec: {},
    status,
  });
}

it('knows the agent by its certificate', async () => {
  const own = await certificate('h1');
  expect(await askAgent(host(await served(own), own.certificatePem), signal)).toBe('Agent');
});

it('knows an agent that has another certificate since its start, which nobody was told', async () => {
  const [before, now] = [await certificate('h1'), await certificate('h1')];
  expect(await askAgent(host(await served(now), before.certificatePem), signal)).toBe('NewAgent');
});

it('takes the agent of another host at that address for none', async () => {
  const [own, other] = [await certificate('h1'), await certificate('h2')];
  expect(await askAgent(host(await served(other), own.certificatePem), signal)).toBe('Nobody');
});

it('knows that the machine lives when it refuses the connection', async () => {
  const { certificatePem } = await certificate('h1');
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, 'close');
  expect(await askAgent(host(port, certificatePem), signal)).toBe('Host');
});

it('knows that the machine lives when it takes the connection and says nothing', async () => {
  const { certificatePem } = await certificate('h1');
  const port = await listening(createServer(() => undefined));
  expect(await askAgent(host(port, certificatePem), signal)).toBe('Host');
});

it('does not ask a host that has not told where', async () => {
  const blank = Host.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'Host',
    metadata: { name: 'h1' },
    spec: {},
  });
  expect(await askAgent(blank, signal)).toBeUndefined();
});

it('hears nobody once it is told to stop', async () => {
  const { certificatePem } = await certificate('h1');
  expect(await askAgent(host(1, certificatePem), AbortSignal.abort())).toBe('Nobody');
});
