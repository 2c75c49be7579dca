import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { confirmOff, type PowerDevice, type PowerErrorReason, redfishDevice } from '../../../src/power/index.ts';
import { systemClock } from '../../../src/runtime/index.ts';
import { startRedfishSimulator } from '../../lab/bmc/simulators.ts';
import { certificateAuthority } from '../../lab/control-plane/certificates.ts';
import { ensureRedfishEmulator } from '../../lab/install/redfish-emulator.ts';
import { lines } from '../../lab/report.ts';
import { freePort, PASSWORD, type Rack, startRack, type TestMachine, USERNAME } from './simulators.ts';

const ONE = { name: 'one', uuid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8' };
const TWO = { name: 'two', uuid: '7ba7b810-9dad-41d1-80b4-00c04fd430c8' };
const signal = () => AbortSignal.timeout(30_000);

let rack: Rack;
let single: number;
let strict: number;

beforeAll(async () => {
  await ensureRedfishEmulator(lines(() => undefined));
  rack = await startRack('one', 'two');
  [single, strict] = [await freePort(), await freePort()];
  const common = {
    labFolder: rack.folder,
    address: '127.0.0.1',
    username: USERNAME,
    password: PASSWORD,
    board: rack.board,
    certificate: rack.certificate,
  };
  await startRedfishSimulator({ ...common, name: 'single', port: single, machines: [ONE] });
  await startRedfishSimulator({
    ...common,
    name: 'strict',
    port: strict,
    machines: [ONE, TWO],
    refuseWhatIsDone: true,
  });
});
afterAll(() => rack.remove());

beforeEach(() => {
  for (const machine of rack.machines.values()) Object.assign(machine, { power: true, isStuck: false });
});

function device(port: number, options: Partial<Parameters<typeof redfishDevice>[0]> = {}): PowerDevice {
  return redfishDevice({
    address: `127.0.0.1:${port}`,
    certificateAuthority: rack.authority.pem,
    username: USERNAME,
    password: PASSWORD,
    timeoutMs: 5_000,
    ...options,
  });
}

function machine(name: string): TestMachine {
  const found = rack.machines.get(name);
  if (found === undefined) throw new Error(`The rack has no ${name}.`);
  return found;
}

async function refuses(asked: Promise<unknown>, reason: PowerErrorReason, says: RegExp): Promise<void> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: 'PowerError', reason, message: expect.stringMatching(says) });
  expect(String(error)).not.toContain(PASSWORD);
}

describe('a Redfish BMC', () => {
  it('tells the state and the UUID, powers off and on', async () => {
    const bmc = device(single);
    expect(await bmc.readState(signal())).toEqual({ state: 'On', systemUUID: ONE.uuid });
    await bmc.forceOff(signal());
    expect(machine('one').power).toBe(false);
    expect((await bmc.readState(signal())).state).toBe('Off');
    await bmc.forceOff(signal());
    await bmc.powerOn(signal());
    expect(machine('one').power).toBe(true);
    await bmc.powerOn(signal());
    expect((await bmc.readState(signal())).state).toBe('On');
  });

  it('may refuse what is done already: that is no failure', async () => {
    const bmc = device(strict, { systemID: TWO.uuid });
    await bmc.forceOff(signal());
    await bmc.forceOff(signal());
    await bmc.powerOn(signal());
    await bmc.powerOn(signal());
    expect(machine('two').power).toBe(true);
    expect(machine('one').power).toBe(true);
  });

  it('is confirmed off by its reading, and not by having taken the order', async () => {
    const options = { deadlineMs: 1_500, intervalMs: 200, clock: systemClock };
    machine('one').isStuck = true;
    expect(await confirmOff(device(single), options, signal())).toMatchObject({ ok: false, reason: 'StillOn' });
    machine('one').isStuck = false;
    expect(await confirmOff(device(single), options, signal())).toMatchObject({ ok: true });
    expect(machine('one').power).toBe(false);
  });

  it('with several systems wants to know which', async () => {
    await refuses(
      device(strict).readState(signal()),
      'NotFound',
      new RegExp(`several systems.*${ONE.uuid}, ${TWO.uuid}`),
    );
    await refuses(device(strict).forceOff(signal()), 'NotFound', /cannot power off: it has several systems/);
    await refuses(
      device(strict, { systemID: 'three' }).readState(signal()),
      'NotFound',
      /no system "three". It has: 6ba7/,
    );
    expect(await device(strict, { systemID: TWO.uuid }).readState(signal())).toEqual({
      state: 'On',
      systemUUID: TWO.uuid,
    });
    expect(machine('one').power).toBe(true);
  });

  it.each(['root', USERNAME])('refuses %s with a wrong password', async (username) => {
    const bmc = device(single, { username, password: 'wrong' });
    await refuses(
      bmc.readState(signal()),
      'Unauthorized',
      /^BMC https:\/\/127\.0\.0\.1:\d+ \(Redfish\): cannot read the state: user or password are wrong/,
    );
    await refuses(bmc.forceOff(signal()), 'Unauthorized', /cannot power off/);
    expect(machine('one').power).toBe(true);
  });

  it('is not trusted without its authority, with another one, or under another name', async () => {
    const other = await certificateAuthority(join(rack.folder, 'other'), 'other');
    const otherPem = readFileSync(other.certificate, 'utf8');
    const { certificateAuthority: _, ...none } = { certificateAuthority: '', address: `127.0.0.1:${single}` };
    const unknown = redfishDevice({ ...none, username: USERNAME, password: PASSWORD, timeoutMs: 5_000 });
    await refuses(unknown.readState(signal()), 'CertificateNotTrusted', /authority/);
    await refuses(
      device(single, { certificateAuthority: otherPem }).forceOff(signal()),
      'CertificateNotTrusted',
      /authority/,
    );
    await refuses(
      device(single, { address: `localhost:${single}` }).readState(signal()),
      'CertificateNotTrusted',
      /altnames/,
    );
    await refuses(
      device(single, { certificateAuthority: 'PEM' }).readState(signal()),
      'CertificateNotTrusted',
      /no certificate in PEM/,
    );
    expect(machine('one').power).toBe(true);
    const skipping = device(single, { certificateAuthority: otherPem, insecureSkipVerify: true });
    expect((await skipping.readState(signal())).state).toBe('On');
  });
});

describe('what is no Redfish BMC', () => {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await Promise.all(servers.splice(0).map((server) => new Promise((closed) => server.close(closed))));
  });

  async function listen(server: Server): Promise<number> {
    servers.push(server);
    server.on('connection', (socket) => sockets.add(socket));
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  async function tls(answer: RequestListener): Promise<number> {
    const { certificate, key } = rack.certificate;
    const server = createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, answer);
    return await listen(server);
  }

  it('nobody listens', async () => {
    await refuses(device(await freePort()).readState(signal()), 'Unreachable', /ECONNREFUSED/);
    await refuses(device(1, { address: 'bmc.invalid' }).readState(signal()), 'Unreachable', /bmc\.invalid/);
  });

  it('a listener that never answers', async () => {
    const port = await listen(createTcpServer());
    const begun = performance.now();
    await refuses(device(port, { timeoutMs: 500 }).forceOff(signal()), 'TimedOut', /within 0\.5 s/);
    expect(performance.now() - begun).toBeLessThan(1_500);
  });

  it('one that answers too late, or without end', async () => {
    const late = await tls((_request, response) => setTimeout(() => response.end('{}'), 2_000));
    await refuses(device(late, { timeoutMs: 500 }).readState(signal()), 'TimedOut', /within 0\.5 s/);
    const drip = await tls((_request, response) => {
      response.write('{');
      const timer = setInterval(() => response.write(' '), 50);
      response.once('close', () => clearInterval(timer));
    });
    await refuses(device(drip, { timeoutMs: 500 }).readState(signal()), 'TimedOut', /within 0\.5 s/);
  });

  it('its caller may give up', async () => {
    const late = await tls((_request, response) => setTimeout(() => response.end('{}'), 2_000));
    const caller = new AbortController();
    const asked = device(late).readState(caller.signal);
    setTimeout(() => caller.abort(new Error('no longer leader')), 100);
    await expect(asked).rejects.toThrow('no longer leader');
    const silent = await listen(createTcpServer());
    const begun = performance.now();
    await expect(device(silent).readState(AbortSignal.timeout(200))).rejects.toThrow(/timeout/);
    expect(performance.now() - begun).toBeLessThan(1_500);
  });

  it('plain HTTP', async () => {
    const port = await listen(createServer((_request, response) => response.end('junk')));
    await refuses(device(port).readState(signal()), 'UnexpectedAnswer', /does not speak HTTPS/);
    await refuses(
      device(port, { address: `http://127.0.0.1:${port}` }).readState(signal()),
      'Refused',
      /not encrypted/,
    );
  });

  it.each<[string, RequestListener, PowerErrorReason, RegExp]>([
    [
      'a web page',
      (_request, response) => response.end('<html>Router</html>'),
      'UnexpectedAnswer',
      /not Redfish.*Router/,
    ],
    ['nothing there', (_request, response) => response.writeHead(404).end(), 'UnexpectedAnswer', /no Redfish service/],
    [
      'an answer without end',
      (_request, response) => response.end('x'.repeat(2_000_000)),
      'UnexpectedAnswer',
      /larger than any/,
    ],
    ['a broken service', (_request, response) => response.writeHead(500).end('oops'), 'Refused', /answers 500: oops/],
    [
      'one that sends us away',
      (_request, response) => response.writeHead(302, { location: 'https://elsewhere.example/' }).end(),
      'UnexpectedAnswer',
      /points to "https:\/\/elsewhere\.example\/", which is not part of it/,
    ],
    [
      'one that goes round in circles',
      (_request, response) => response.writeHead(308, { location: '/redfish/v1/' }).end(),
      'UnexpectedAnswer',
      /answers 308/,
    ],
    [
      'a password sent back',
      (request, response) => response.writeHead(401).end(`${request.headers.authorization} is ${PASSWORD}`),
      'Unauthorized',
      /\[redacted\] is \[redacted\]/,
    ],
    [
      'a switch',
      (_request, response) => response.end('{"@odata.id":"/redfish/v1/"}'),
      'NotSupported',
      /without systems/,
    ],
  ])('%s', async (_name, answer, reason, says) => {
    await refuses(device(await tls(answer)).readState(signal()), reason, says);
  });

  it('one that drops the first connection is asked again', async () => {
    let requests = 0;
    const port = await tls((request, response) => {
      requests += 1;
      if (requests === 1) request.socket.destroy();
      else response.writeHead(404).end();
    });
    await refuses(device(port).readState(signal()), 'UnexpectedAnswer', /no Redfish service/);
    expect(requests).toBe(2);
  });
});

describe('a Redfish BMC of another make', () => {
  /** What sushy-tools does not do, as it stands in DSP0266 and the schema of ComputerSystem. */
  async function service(
    system: object,
    more: Record<string, object> = {},
  ): Promise<{ bmc: PowerDevice; posted: string[]; close(): void }> {
    const posted: string[] = [];
    const resources: Record<string, object> = {
      '/redfish/v1': { '@odata.id': '/redfish/v1', Systems: { '@odata.id': '/redfish/v1/Systems' } },
      '/redfish/v1/Systems': { Members: [], 'Members@odata.nextLink': '/redfish/v1/Systems?page=2' },
      '/redfish/v1/Systems?page=2': { Members: [{ '@odata.id': '/redfish/v1/Systems/1' }] },
      '/redfish/v1/Systems/1': system,
      ...more,
    };
    const { certificate, key } = rack.certificate;
    const server = createTlsServer(
      { cert: readFileSync(certificate), key: readFileSync(key) },
      async (request, response) => {
        const { url = '', method } = request;
        if (url === '/redfish/v1/') response.writeHead(308, { location: '/redfish/v1' }).end();
        else if (method === 'POST') {
          for await (const part of request) posted.push(`${url} ${part}`);
          response.writeHead(202).end();
        } else if (resources[url] === undefined) response.writeHead(404).end();
        else response.end(JSON.stringify(resources[url]));
      },
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, '127.0.0.1', resolve);
    await promise;
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    return { bmc: device(port), posted, close: () => server.close() };
  }

  const reset = (action: object) => ({
    PowerState: 'On',
    Actions: { '#ComputerSystem.Reset': { target: '/do', ...action } },
  });

  it.each<[string, object, Record<string, object>, string]>([
    ['names no values', reset({}), {}, '/do {"ResetType":"On"}'],
    [
      'knows only ForceOn',
      reset({ 'ResetType@Redfish.AllowableValues': ['ForceOff', 'ForceOn'] }),
      {},
      '/do {"ResetType":"ForceOn"}',
    ],
    [
      'has its values in an ActionInfo',
      reset({ '@Redfish.ActionInfo': '/info' }),
      { '/info': { Parameters: [{ Name: 'ResetType', AllowableValues: ['ForceOn'] }] } },
      '/do {"ResetType":"ForceOn"}',
    ],
  ])('%s', async (_name, system, more, order) => {
    const { bmc, posted, close } = await service(system, more);
    await bmc.powerOn(signal());
    expect(posted).toEqual([order]);
    close();
  });

  it.each<[string, object, PowerErrorReason, RegExp]>([
    [
      'cannot force off',
      reset({ 'ResetType@Redfish.AllowableValues': ['GracefulShutdown'] }),
      'NotSupported',
      /no ForceOff, only: GracefulShutdown/,
    ],
    ['has no reset', { PowerState: 'On' }, 'NotSupported', /no reset/],
    [
      'would have us post elsewhere',
      reset({ target: 'https://elsewhere.example/do' }),
      'UnexpectedAnswer',
      /not part of it/,
    ],
  ])('%s', async (_name, system, reason, says) => {
    const { bmc, posted, close } = await service(system);
    await refuses(bmc.forceOff(signal()), reason, says);
    expect(posted).toEqual([]);
    close();
  });

  it.each<[string, object, RegExp]>([
    ['does not know the state', { PowerState: null }, /tells no PowerState/],
    ['has a state of its own', { PowerState: 'Sleeping' }, /"Sleeping", which is none/],
    ['has a number for a state', { PowerState: 1 }, /its "PowerState" is not as in Redfish/],
  ])('%s', async (_name, system, says) => {
    const { bmc, close } = await service(system);
    await refuses(bmc.readState(signal()), 'UnexpectedAnswer', says);
    close();
  });
});
