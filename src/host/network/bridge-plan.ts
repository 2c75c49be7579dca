import { type BridgeLabel, formatAlias, isSamePlace, parseAlias } from './alias.ts';
import type { Link } from './links.ts';

export interface BridgeWish extends BridgeLabel {
  /** Name of the bridge. */
  readonly bridge: string;
  readonly mtuBytes: number;
}

/** One change of the host's interfaces. */
export type NetworkChange =
  | { readonly do: 'ip'; readonly args: readonly string[] }
  | { readonly do: 'disableIpv6'; readonly name: string };

export type BridgePlan =
  | { readonly ok: true; readonly changes: readonly NetworkChange[] }
  | { readonly ok: false; readonly reason: BridgeRefusal; readonly message: string };

export type BridgeRefusal = 'NameTaken' | 'UplinkMissing' | 'UplinkHasAddress' | 'UplinkInUse' | 'UplinkMtuTooSmall';

/** Name of the VLAN interface on the uplink, which is the port of the bridge: 15 characters are all the kernel allows. */
export function vlanDeviceName(bridge: string): string {
  return `dvu-${bridge.slice(-8)}`;
}

/**
 * Pure: what must change so that the bridge is as wished. Every change may be the last before a crash; planning again
 * continues from there. A bridge that is as wished needs none.
 */
export function planBridge(wish: BridgeWish, links: readonly Link[]): BridgePlan {
  const byName = new Map(links.map((link) => [link.name, link]));
  const taken = judgeName(wish, links, byName);
  if (!taken.ok) return taken;
  const uplink = judgeUplink(wish, byName);
  if (!uplink.ok) return uplink;

  const port = wish.vlan === undefined ? wish.uplink : vlanDeviceName(wish.bridge);
  return {
    ok: true,
    changes: [
      ...bridgeChanges(wish, byName.get(wish.bridge)),
      ...staleUplinkChanges(wish, byName),
      ...(wish.uplink === undefined || port === undefined ? [] : portChanges(wish, wish.uplink, port, byName)),
    ],
  };
}

/** Pure: how to remove a bridge of ours with its VLAN interface. Undefined: something of somebody is plugged in. */
export function planRemoval(bridge: Link, links: readonly Link[]): NetworkChange[] | undefined {
  const vlanDevice = vlanDeviceName(bridge.name);
  const uplink = parseAlias(bridge.alias ?? '')?.uplink;
  const ports = links.filter((link) => link.master === bridge.name).map(({ name }) => name);
  if (ports.some((port) => port !== vlanDevice && port !== uplink)) return undefined;
  return [
    ...(ports.includes(vlanDevice) ? [ip('link', 'delete', 'dev', vlanDevice)] : []),
    ip('link', 'delete', 'dev', bridge.name, 'type', 'bridge'),
  ];
}

/** Bridges of ours, by name. */
export function ownBridges(links: readonly Link[]): (Link & { readonly label: BridgeLabel })[] {
  return links
    .flatMap((link) => {
      const label = parseAlias(link.alias ?? '');
      return link.kind === 'bridge' && label !== undefined ? [{ ...link, label }] : [];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A bridge without alias and ports is ours too: the agent was killed between making and labelling it. */
function judgeName(wish: BridgeWish, links: readonly Link[], byName: ReadonlyMap<string, Link>): BridgePlan {
  const found = byName.get(wish.bridge);
  if (found === undefined) return { ok: true, changes: [] };
  const label = parseAlias(found.alias ?? '');
  const untouched = found.alias === undefined && !links.some(({ master }) => master === found.name);
  if (found.kind === 'bridge' && (label === undefined ? untouched : isSamePlace(label, wish)))
    return { ok: true, changes: [] };
  const whose = label === undefined ? "is not Drover's" : `is of VirtualSwitch ${label.switchName}`;
  return refuse(
    'NameTaken',
    `the interface ${wish.bridge} ${whose}; rename it, or give the VirtualSwitch another name`,
  );
}

function judgeUplink(wish: BridgeWish, byName: ReadonlyMap<string, Link>): BridgePlan {
  if (wish.uplink === undefined) return { ok: true, changes: [] };
  const uplink = byName.get(wish.uplink);
  if (uplink === undefined) {
    return refuse(
      'UplinkMissing',
      `the host has no interface ${wish.uplink}; plug it in, or name one that every host has`,
    );
  }
  if (wish.vlan === undefined && uplink.master === wish.bridge) return { ok: true, changes: [] };
  if (uplink.loopback || uplink.kind === 'bridge') {
    return refuse(
      'UplinkInUse',
      `${wish.uplink} is a ${uplink.loopback ? 'loopback' : 'bridge'} and cannot be an uplink`,
    );
  }
  const address = uplink.addresses[0];
  if (address !== undefined) {
    return refuse(
      'UplinkHasAddress',
      `${wish.uplink} carries ${address}: as an uplink it would cut the host off; use an interface without an address`,
    );
  }
  // The untagged bridge of the same switch may have taken it; VLANs of it still reach their own interfaces.
  if (uplink.master !== undefined && !(wish.vlan !== undefined && isOfSwitch(byName.get(uplink.master), wish))) {
    return refuse('UplinkInUse', `${wish.uplink} is a port of ${uplink.master}; an uplink must be free`);
  }
  if (uplink.mtuBytes < wish.mtuBytes) {
    return refuse(
      'UplinkMtuTooSmall',
      `${wish.uplink} carries packets of ${uplink.mtuBytes} bytes and the switch wants ${wish.mtuBytes}; raise the interface's MTU`,
    );
  }
  return { ok: true, changes: [] };
}

function isOfSwitch(link: Link | undefined, wish: BridgeWish): boolean {
  const label = parseAlias(link?.alias ?? '');
  return label !== undefined && isSamePlace({ ...label, vlan: wish.vlan }, wish);
}

/** STP off and no forward delay: a VM's port must pass packets at once, and the uplink is the only way out: no loops. */
function bridgeChanges(wish: BridgeWish, found: Link | undefined): NetworkChange[] {
  const alias = formatAlias(wish);
  const create = found === undefined;
  return [
    ...(create
      ? [ip('link', 'add', 'name', wish.bridge, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0')]
      : []),
    ...(found?.alias === alias ? [] : [set(wish.bridge, 'alias', alias)]),
    ...(found?.stp ? [set(wish.bridge, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0')] : []),
    ...(found?.mtuBytes === wish.mtuBytes ? [] : [set(wish.bridge, 'mtu', String(wish.mtuBytes))]),
    ...upChanges(wish.bridge, found),
  ];
}

/** A switch that was deleted and made anew may have another uplink. */
function staleUplinkChanges(wish: BridgeWish, byName: ReadonlyMap<string, Link>): NetworkChange[] {
  const former = parseAlias(byName.get(wish.bridge)?.alias ?? '')?.uplink;
  if (former === undefined || former === wish.uplink) return [];
  const vlanDevice = byName.get(vlanDeviceName(wish.bridge));
  return [
    ...(byName.get(former)?.master === wish.bridge ? [set(former, 'nomaster')] : []),
    ...(vlanDevice?.parent === former ? [ip('link', 'delete', 'dev', vlanDevice.name)] : []),
  ];
}

function portChanges(
  wish: BridgeWish,
  uplink: string,
  port: string,
  byName: ReadonlyMap<string, Link>,
): NetworkChange[] {
  const uplinkFound = byName.get(uplink);
  const isVlan = port !== uplink;
  const found = byName.get(port);
  // A VLAN interface on a former uplink is removed by staleUplinkChanges before this.
  const kept = isVlan && found?.parent !== uplink ? undefined : found;
  const vlanArgs = ['link', 'add', 'link', uplink, 'name', port, 'type', 'vlan', 'id', String(wish.vlan)];
  return [
    ...(isVlan && !uplinkFound?.up ? upChanges(uplink, uplinkFound) : []),
    ...(isVlan && kept === undefined ? [ip(...vlanArgs)] : []),
    ...(isVlan && kept?.alias !== formatAlias(wish) ? [set(port, 'alias', formatAlias(wish))] : []),
    ...(!isVlan || kept?.mtuBytes === wish.mtuBytes ? [] : [set(port, 'mtu', String(wish.mtuBytes))]),
    ...(kept?.master === wish.bridge ? [] : [set(port, 'master', wish.bridge)]),
    ...upChanges(port, kept),
  ];
}

function upChanges(name: string, found: Link | undefined): NetworkChange[] {
  return found?.up ? [] : [{ do: 'disableIpv6', name }, set(name, 'up')];
}

function set(name: string, ...args: readonly string[]): NetworkChange {
  return ip('link', 'set', 'dev', name, ...args);
}

function ip(...args: readonly string[]): NetworkChange {
  return { do: 'ip', args };
}

function refuse(reason: BridgeRefusal, message: string): BridgePlan {
  return { ok: false, reason, message };
}
