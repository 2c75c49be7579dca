import { describe, expect, it } from 'vitest';
import {
  DomainList,
  type Libvirt,
  LibvirtTransportError,
  LifecycleEvent,
  openLibvirt,
} from '../../../src/libvirt/index.ts';
import { collect, startDomain, useLibvirt } from './context.ts';
import { waitFor } from './daemon.ts';

const context = useLibvirt();

async function rejection(promise: Promise<Libvirt>): Promise<LibvirtTransportError> {
  const outcome = await promise.then(
    (client) => client.close(),
    (error: unknown) => error,
  );
  if (outcome instanceof LibvirtTransportError) return outcome;
  throw new Error(`expected a refusal, got ${outcome}`);
}

describe('transports', () => {
  it('TCP', async () => {
    const libvirt = await openLibvirt({ uri: `qemu+tcp://127.0.0.1:${context.daemon.tcpPort}/system` });
    expect(await libvirt.call('connectGetUri')).toEqual({ uri: 'qemu:///system' });
    await libvirt.close();
  });

  it('TLS with our certificate, under a name and under an address', async () => {
    const { ca, client } = context.daemon.certificates;
    for (const host of ['localhost', '127.0.0.1']) {
      const uri = `qemu+tls://${host}:${context.daemon.tlsPort}/system`;
      const tls = { ca: ca.cert, cert: client.cert, key: client.key };
      // No keepalive traffic, which would hide a request that the daemon has but does not see.
      const libvirt = await openLibvirt({
        uri,
        tls,
        keepalive: { intervalMs: 60_000, missedMax: 5 },
        defaultTimeoutMs: 4_000,
      });
      const results = await Promise.all(Array.from({ length: 20 }, () => libvirt.call('connectGetHostname')));
      expect(results).toHaveLength(20);
      await libvirt.close();
    }
  });

  it('TLS with a certificate the daemon does not accept says so and what to check', async () => {
    const { ca, stranger } = context.daemon.certificates;
    const uri = `qemu+tls://127.0.0.1:${context.daemon.tlsPort}/system`;
    const error = await rejection(openLibvirt({ uri, tls: { ca: ca.cert, cert: stranger.cert, key: stranger.key } }));
    expect(error).toMatchObject({ reason: 'refused', mayHaveRun: false });
    expect(error.message).toMatch(/does not accept our client certificate.*tls_allowed_dn_list/);
  });

  it('TLS to a daemon whose certificate we do not trust says so', async () => {
    const { strangerCa, client } = context.daemon.certificates;
    const uri = `qemu+tls://127.0.0.1:${context.daemon.tlsPort}/system`;
    const error = await rejection(
      openLibvirt({ uri, tls: { ca: strangerCa.cert, cert: client.cert, key: client.key } }),
    );
    expect(error.reason).toBe('refused');
    expect(error.message).toMatch(/certificate of libvirt at tls:\/\/127.0.0.1:\d+ is not trusted/);
  });

  it('TLS to a daemon under a name that is not in its certificate says so', async () => {
    const { ca, client } = context.daemon.certificates;
    const uri = `qemu+tls://127.0.0.1:${context.daemon.tlsPort}/system`;
    const tls = { ca: ca.cert, cert: client.cert, key: client.key, servername: 'other.example' };
    const error = await rejection(openLibvirt({ uri, tls }));
    expect(error.reason).toBe('refused');
    expect(error.message).toMatch(/is not trusted: .*other\.example/);
  });

  it('a TLS port spoken to in clear text does not hang', async () => {
    const error = await rejection(openLibvirt({ uri: `qemu+tcp://127.0.0.1:${context.daemon.tlsPort}/system` }));
    expect(error.reason).toBe('unreachable');
  });

  it('an unknown driver is refused with the daemon’s words', async () => {
    const error = await rejection(openLibvirt({ uri: `vbox:///system?socket=${context.daemon.socketPath}` }));
    expect(error.reason).toBe('refused');
    expect(error.message).toMatch(/cannot open vbox:\/\/\/system/);
  });
});

describe('a daemon that is killed', () => {
  it('loses no domain; calls and events go on with the next daemon', async () => {
    const { libvirt, daemon } = context;
    using lifecycle = await collect(libvirt, 'lifecycle');
    const doms = await Promise.all(['survivor-1', 'survivor-2'].map((name) => startDomain(libvirt, { name })));
    const pids = daemon.qemuPids();
    expect(pids).toHaveLength(2);
    const told: string[] = [];
    const off = [
      libvirt.on('disconnected', () => told.push('disconnected')),
      libvirt.on('connected', () => told.push('connected')),
      libvirt.on('eventsMissed', () => told.push('eventsMissed')),
    ];

    await daemon.kill();
    await waitFor('the client to notice', 5_000, async () => !libvirt.connected);
    const listed = libvirt.call('connectListAllDomains', { flags: DomainList.ACTIVE });
    await daemon.up();
    const { domains } = await listed;
    expect(domains.map(({ name }) => name).toSorted()).toEqual(['survivor-1', 'survivor-2']);
    expect(domains.map(({ uuid }) => uuid).toSorted()).toEqual(doms.map(({ uuid }) => uuid).toSorted());
    expect(daemon.qemuPids().toSorted()).toEqual(pids.toSorted());

    await waitFor('the subscriptions to stand again', 10_000, async () => told.includes('eventsMissed'));
    expect(told).toEqual(['disconnected', 'connected', 'eventsMissed']);
    for (const dom of domains) {
      // A new daemon lists its domains before it has reached their QEMUs again; this waits for its turn until it has.
      const status = await libvirt.call('qemuDomainMonitorCommand', { dom, cmd: '{"execute":"query-status"}' });
      expect(status.result).toMatch(/"status":"running"/);
      await libvirt.call('domainDestroyFlags', { dom });
      await lifecycle.until(
        'STOPPED',
        (event) => event.event === LifecycleEvent.STOPPED && event.dom.uuid === dom.uuid,
      );
    }
    for (const end of off) end();
  });

  it('rejects the calls that it took with it, in doubt', async () => {
    const { libvirt, daemon } = context;
    daemon.suspend();
    const calls = Promise.allSettled(Array.from({ length: 4 }, () => libvirt.call('connectGetHostname')));
    await daemon.kill();
    for (const outcome of await calls) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { name: 'LibvirtTransportError', reason: 'lost', mayHaveRun: true },
      });
    }
    await daemon.up();
    expect((await libvirt.call('connectGetHostname')).hostname).not.toBe('');
  });
});

describe('a daemon that hangs', () => {
  it('is given up after the missed signs of life', async () => {
    const { daemon } = context;
    const libvirt = await openLibvirt({ socketPath: daemon.socketPath, keepalive: { intervalMs: 100, missedMax: 3 } });
    await libvirt.call('connectGetHostname');
    try {
      daemon.suspend();
      const call = libvirt.call('connectGetHostname');
      await expect(call).rejects.toMatchObject({ reason: 'lost', mayHaveRun: true });
      await expect(call).rejects.toThrow(/no sign of life for 0.4 s/);
    } finally {
      daemon.resume();
      await libvirt.close();
    }
  });
});
