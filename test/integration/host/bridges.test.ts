import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BridgeWish } from '../../../src/host/network/bridge-plan.ts';
import { ensureBridge, removeUnusedBridges } from '../../../src/host/network/bridges.ts';
import { type Link, type Network, readLinks } from '../../../src/host/network/links.ts';
import { waitFor } from '../../lab/wait.ts';
import { run } from './scratch.ts';

interface TestNetwork extends Network {
  readonly namespace: string;
  ip(...args: readonly string[]): string;
  link(name: string): Promise<Link | undefined>;
}

/** A network namespace that the running test has for itself, with an interface eth1 whose other end is eth1-peer. */
function testNetwork(): TestNetwork {
  const namespace = `drover-t-${randomBytes(4).toString('hex')}`;
  run('ip', 'netns', 'add', namespace);
  onTestFinished(() => void run('ip', 'netns', 'delete', namespace));
  const ip = (...args: readonly string[]) => run('ip', '-netns', namespace, ...args);
  ip('link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth1-peer');
  const link = async (name: string) => (await readLinks({ namespace })).find((candidate) => candidate.name === name);
  return { namespace, ip, link };
}

const wish = (changes: Partial<BridgeWish> = {}): BridgeWish => ({
  bridge: 'dv-0011aabb',
  switchName: 'lan',
  vlan: undefined,
  uplink: undefined,
  mtuBytes: 1500,
  ...changes,
});

describe('ensureBridge', () => {
  it('makes a bridge that forwards at once and in which the host takes no part', async () => {
    const network = testNetwork();
    expect(await ensureBridge(network, wish({ mtuBytes: 9000 }))).toEqual({ ok: true });
    expect(await network.link('dv-0011aabb')).toMatchObject({
      kind: 'bridge',
      alias: 'drover untagged - lan',
      mtuBytes: 9000,
      up: true,
      stp: false,
      addresses: [],
    });
    const details = JSON.parse(network.ip('-json', '-details', 'link', 'show', 'dev', 'dv-0011aabb'));
    expect(details[0].linkinfo.info_data.forward_delay).toBe(0);
    const sysctl = run(
      'ip',
      'netns',
      'exec',
      network.namespace,
      'sysctl',
      '-n',
      'net/ipv6/conf/dv-0011aabb/disable_ipv6',
    );
    expect(sysctl.trim()).toBe('1');
  });

  it('changes nothing the second time', async () => {
    const network = testNetwork();
    await ensureBridge(network, wish({ uplink: 'eth1' }));
    const before = await readLinks(network);
    expect(await ensureBridge(network, wish({ uplink: 'eth1' }))).toEqual({ ok: true });
    expect(await readLinks(network)).toEqual(before);
  });

  it('takes a free uplink', async () => {
    const network = testNetwork();
    expect(await ensureBridge(network, wish({ uplink: 'eth1' }))).toEqual({ ok: true });
    expect(await network.link('eth1')).toMatchObject({ master: 'dv-0011aabb', up: true });
  });

  it('refuses an uplink that carries an address, and leaves it as it is', async () => {
    const network = testNetwork();
    network.ip('address', 'add', '192.0.2.1/24', 'dev', 'eth1');
    expect(await ensureBridge(network, wish({ uplink: 'eth1' }))).toMatchObject({
      ok: false,
      reason: 'UplinkHasAddress',
    });
    expect(await network.link('eth1')).toMatchObject({ master: undefined, addresses: ['192.0.2.1'] });
    expect(await network.link('dv-0011aabb')).toBeUndefined();
  });

  it('refuses an uplink that is missing', async () => {
    const verdict = await ensureBridge(testNetwork(), wish({ uplink: 'eth7' }));
    expect(verdict).toMatchObject({ ok: false, reason: 'UplinkMissing' });
  });

  it('goes on where it was killed', async () => {
    const network = testNetwork();
    network.ip('link', 'add', 'name', 'dv-0011aabb', 'type', 'bridge');
    expect(await ensureBridge(network, wish())).toEqual({ ok: true });
    expect(await network.link('dv-0011aabb')).toMatchObject({ alias: 'drover untagged - lan', up: true });
  });

  it('leaves a bridge of somebody else alone', async () => {
    const network = testNetwork();
    network.ip('link', 'add', 'name', 'dv-0011aabb', 'type', 'bridge');
    network.ip('link', 'set', 'dev', 'dv-0011aabb', 'alias', 'of a colleague');
    expect(await ensureBridge(network, wish())).toMatchObject({ ok: false, reason: 'NameTaken' });
    expect(await network.link('dv-0011aabb')).toMatchObject({ alias: 'of a colleague', up: false });
  });

  it('passes packets between two guests and through the uplink', async () => {
    const network = testNetwork();
    await ensureBridge(network, wish({ uplink: 'eth1' }));
    for (const guest of ['g1', 'g2']) {
      run('ip', 'netns', 'add', `${network.namespace}-${guest}`);
      onTestFinished(() => void run('ip', 'netns', 'delete', `${network.namespace}-${guest}`));
      network.ip(
        'link',
        'add',
        `tap-${guest}`,
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        `${network.namespace}-${guest}`,
      );
      network.ip('link', 'set', 'dev', `tap-${guest}`, 'master', 'dv-0011aabb', 'up');
    }
    const inside = (guest: string, ...args: readonly string[]) =>
      run('ip', '-netns', `${network.namespace}-${guest}`, ...args);
    for (const [guest, address] of [
      ['g1', '192.0.2.1/24'],
      ['g2', '192.0.2.2/24'],
    ] as const) {
      inside(guest, 'address', 'add', address, 'dev', 'eth0');
      inside(guest, 'link', 'set', 'dev', 'eth0', 'up');
    }
    network.ip('address', 'add', '192.0.2.3/24', 'dev', 'eth1-peer');
    network.ip('link', 'set', 'dev', 'eth1-peer', 'up');
    for (const target of ['192.0.2.2', '192.0.2.3']) {
      // Any packet makes the kernel ask for the neighbour's address; an answer went through the bridge both ways.
      run('ip', 'netns', 'exec', `${network.namespace}-g1`, 'bash', '-c', `echo > /dev/udp/${target}/9`);
      await waitFor(
        `an answer from ${target}`,
        () => {
          const neighbours = inside('g1', 'neigh', 'show', 'to', target);
          return /lladdr/.test(neighbours) ? { ready: true, value: target } : { ready: false, because: neighbours };
        },
        { timeoutMs: 10_000 },
      );
    }
  });

  it('reaches a VLAN through an interface of its own, or says that the kernel knows none', async () => {
    const network = testNetwork();
    const verdict = await ensureBridge(network, wish({ uplink: 'eth1', vlan: 42 }));
    if (!verdict.ok) {
      // A kernel without CONFIG_VLAN_8021Q: the administrator is told, and the bridge goes again when nobody wants it.
      expect(verdict).toMatchObject({ reason: 'NoVlanSupport', message: expect.stringContaining('8021q') });
      expect(await removeUnusedBridges(network, () => false)).toEqual(['dv-0011aabb']);
      return;
    }
    expect(await network.link('dvu-0011aabb')).toMatchObject({
      kind: 'vlan',
      vlan: 42,
      parent: 'eth1',
      master: 'dv-0011aabb',
    });
    expect(await removeUnusedBridges(network, () => false)).toEqual(['dv-0011aabb']);
    expect(await network.link('dvu-0011aabb')).toBeUndefined();
  });
});

describe('removeUnusedBridges', () => {
  it('removes only bridges of ours that are unwanted and into which nothing is plugged', async () => {
    const network = testNetwork();
    const [unused, wanted, plugged] = ['dv-00000001', 'dv-00000002', 'dv-00000003'];
    for (const bridge of [unused, wanted, plugged]) await ensureBridge(network, wish({ bridge, switchName: bridge }));
    network.ip('link', 'add', 'name', 'br-other', 'type', 'bridge');
    network.ip('tuntap', 'add', 'vnet0', 'mode', 'tap');
    network.ip('link', 'set', 'dev', 'vnet0', 'master', plugged);
    expect(await removeUnusedBridges(network, ({ name }) => name === wanted)).toEqual([unused]);
    const left = (await readLinks(network)).map(({ name }) => name);
    expect(left).toEqual(expect.arrayContaining([wanted, plugged, 'br-other']));
    expect(left).not.toContain(unused);
  });

  it('gives the uplink back', async () => {
    const network = testNetwork();
    await ensureBridge(network, wish({ uplink: 'eth1' }));
    expect(await removeUnusedBridges(network, () => false)).toEqual(['dv-0011aabb']);
    expect(await network.link('eth1')).toMatchObject({ master: undefined });
  });
});
