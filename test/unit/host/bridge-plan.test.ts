import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAlias, parseAlias } from '../../../src/host/network/alias.ts';
import { type BridgeWish, planBridge, planRemoval } from '../../../src/host/network/bridge-plan.ts';
import { type Link, parseLinks } from '../../../src/host/network/links.ts';

const link = (name: string, facts: Partial<Link> = {}): Link => ({
  name,
  kind: undefined,
  alias: undefined,
  master: undefined,
  parent: undefined,
  mtuBytes: 1500,
  up: true,
  loopback: false,
  addresses: [],
  vlan: undefined,
  stp: false,
  ...facts,
});

const wish = (facts: Partial<BridgeWish> = {}): BridgeWish => ({
  bridge: 'dv-0011aabb',
  switchName: 'lan',
  vlan: undefined,
  uplink: undefined,
  mtuBytes: 1500,
  ...facts,
});

const bridge = (facts: Partial<Link> = {}, of: Partial<BridgeWish> = {}): Link =>
  link('dv-0011aabb', { kind: 'bridge', alias: formatAlias(wish(of)), ...facts });

/** The plan as the commands an administrator would type. */
const commands = (wanted: BridgeWish, links: readonly Link[]): string[] => {
  const plan = planBridge(wanted, links);
  if (!plan.ok) throw new Error(plan.message);
  return plan.changes.map((change) => (change.do === 'ip' ? change.args.join(' ') : `disableIpv6 ${change.name}`));
};

const refusal = (wanted: BridgeWish, links: readonly Link[]): string => {
  const plan = planBridge(wanted, links);
  return plan.ok ? 'accepted' : plan.reason;
};

describe('planBridge', () => {
  it('makes a bridge that joins only the VMs of the host', () => {
    expect(commands(wish({ mtuBytes: 9000 }), [])).toEqual([
      'link add name dv-0011aabb type bridge stp_state 0 forward_delay 0',
      'link set dev dv-0011aabb alias drover untagged - lan',
      'link set dev dv-0011aabb mtu 9000',
      'disableIpv6 dv-0011aabb',
      'link set dev dv-0011aabb up',
    ]);
  });

  it('takes the uplink into the untagged bridge', () => {
    expect(commands(wish({ uplink: 'eth1' }), [bridge({}, { uplink: 'eth1' }), link('eth1', { up: false })])).toEqual([
      'link set dev eth1 master dv-0011aabb',
      'disableIpv6 eth1',
      'link set dev eth1 up',
    ]);
  });

  it('reaches a VLAN through an interface of its own on the uplink', () => {
    const wanted = wish({ uplink: 'eth1', vlan: 42 });
    expect(commands(wanted, [bridge({}, { uplink: 'eth1', vlan: 42 }), link('eth1')])).toEqual([
      'link add link eth1 name dvu-0011aabb type vlan id 42',
      'link set dev dvu-0011aabb alias drover 42 eth1 lan',
      'link set dev dvu-0011aabb mtu 1500',
      'link set dev dvu-0011aabb master dv-0011aabb',
      'disableIpv6 dvu-0011aabb',
      'link set dev dvu-0011aabb up',
    ]);
  });

  it('moves to the new uplink of a VirtualSwitch that was made anew', () => {
    const links = [bridge({}, { uplink: 'eth1' }), link('eth1', { master: 'dv-0011aabb' }), link('eth2')];
    expect(commands(wish({ uplink: 'eth2' }), links)).toEqual([
      'link set dev dv-0011aabb alias drover untagged eth2 lan',
      'link set dev eth1 nomaster',
      'link set dev eth2 master dv-0011aabb',
    ]);
  });

  it.each([
    ['NameTaken', wish(), [link('dv-0011aabb', { kind: 'bridge', alias: 'docker' })]],
    ['NameTaken', wish(), [bridge({}, { switchName: 'other' })]],
    ['NameTaken', wish(), [bridge({ alias: undefined }), link('tap0', { master: 'dv-0011aabb' })]],
    ['NameTaken', wish(), [link('dv-0011aabb', { kind: 'dummy' })]],
    ['UplinkMissing', wish({ uplink: 'eth1' }), []],
    ['UplinkHasAddress', wish({ uplink: 'eth1' }), [link('eth1', { addresses: ['192.0.2.7'] })]],
    ['UplinkHasAddress', wish({ uplink: 'eth1', vlan: 7 }), [link('eth1', { addresses: ['2001:db8::7'] })]],
    ['UplinkInUse', wish({ uplink: 'eth1' }), [link('eth1', { master: 'bond0' })]],
    ['UplinkInUse', wish({ uplink: 'lo' }), [link('lo', { loopback: true })]],
    ['UplinkInUse', wish({ uplink: 'virbr0' }), [link('virbr0', { kind: 'bridge' })]],
    ['UplinkMtuTooSmall', wish({ uplink: 'eth1', mtuBytes: 9000 }), [link('eth1')]],
  ])('refuses with %s', (reason, wanted, links) => {
    expect(refusal(wanted, links)).toBe(reason);
  });

  it('gives a VLAN its interface although the untagged bridge of the same switch holds the uplink', () => {
    const untagged = link('dv-untagged', { kind: 'bridge', alias: formatAlias(wish({ uplink: 'eth1' })) });
    expect(refusal(wish({ uplink: 'eth1', vlan: 7 }), [untagged, link('eth1', { master: 'dv-untagged' })])).toBe(
      'accepted',
    );
  });

  it('adopts a bridge that was made but not labelled when the agent was killed', () => {
    expect(commands(wish(), [bridge({ alias: undefined, up: false })])).toContain(
      'link set dev dv-0011aabb alias drover untagged - lan',
    );
  });

  it('changes nothing when all is as wished', () => {
    const links = [
      bridge({}, { uplink: 'eth1', vlan: 42 }),
      link('eth1'),
      link('dvu-0011aabb', {
        kind: 'vlan',
        parent: 'eth1',
        vlan: 42,
        master: 'dv-0011aabb',
        alias: formatAlias(wish({ uplink: 'eth1', vlan: 42 })),
      }),
    ];
    expect(commands(wish({ uplink: 'eth1', vlan: 42 }), links)).toEqual([]);
  });
});

describe('planRemoval', () => {
  it('leaves a bridge alone into which a VM is plugged', () => {
    expect(planRemoval(bridge(), [bridge(), link('vnet0', { kind: 'tun', master: 'dv-0011aabb' })])).toBeUndefined();
  });

  it('removes a bridge with nothing but its uplink, and the VLAN interface that it made', () => {
    const of = { uplink: 'eth1', vlan: 42 };
    const ports = [link('dvu-0011aabb', { kind: 'vlan', master: 'dv-0011aabb' })];
    expect(planRemoval(bridge({}, of), ports)).toEqual([
      { do: 'ip', args: ['link', 'delete', 'dev', 'dvu-0011aabb'] },
      { do: 'ip', args: ['link', 'delete', 'dev', 'dv-0011aabb', 'type', 'bridge'] },
    ]);
  });
});

describe('the alias', () => {
  const label = fc.record({
    switchName: fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?$/),
    vlan: fc.option(fc.integer({ min: 1, max: 4094 }), { nil: undefined }),
    uplink: fc.option(fc.stringMatching(/^[A-Za-z0-9_.]{1,15}$/), { nil: undefined }),
  });

  it('says in full what a bridge is of', () => {
    fc.assert(
      fc.property(label, (of) => {
        expect(parseAlias(formatAlias(of))).toEqual(of);
      }),
    );
  });

  it('fits into the kernel also for the longest names, and is known again', () => {
    const of = { switchName: 'a'.repeat(253), vlan: undefined, uplink: 'enp0s31f6123456' };
    expect(formatAlias(of)).toHaveLength(255);
    expect(commands(wish(of), [bridge({}, of), link(of.uplink, { master: 'dv-0011aabb' })])).toEqual([]);
  });
});

describe('parseLinks', () => {
  it('ignores what is no interface and link-local addresses', () => {
    const json = JSON.stringify([
      {},
      {
        ifname: 'eth0',
        mtu: 1500,
        flags: ['BROADCAST', 'UP'],
        addr_info: [
          { family: 'inet6', local: 'fe80::1', scope: 'link' },
          { family: 'inet', local: '192.0.2.1', scope: 'global' },
        ],
      },
    ]);
    expect(parseLinks(json)).toMatchObject([{ name: 'eth0', up: true, addresses: ['192.0.2.1'] }]);
  });
});
