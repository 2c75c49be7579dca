import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hostIdentityOf, type LabIdentity } from '../identity.ts';
import { run } from '../run.ts';

/**
 * How are the hosts of a lab cabled?
 *
 * Each host has two cables (veth pairs). `eth0` is its management network: the lab's bridge, where the machine itself has
 * the gateway's address, so that operator, agents and API server reach each other. `eth1` is the uplink for virtual
 * switches: a second bridge that passes every VLAN and where nobody but VMs speaks.
 */
export const MANAGEMENT_NIC = 'eth0';
export const UPLINK_NIC = 'eth1';

/** The machine's ends of a host's cables. */
export interface Cables {
  readonly management: string;
  readonly uplink: string;
}

export function uplinkBridgeOf(lab: LabIdentity): string {
  return `du-${lab.tag}`;
}

export function cablesOf(lab: LabIdentity, index: number): Cables {
  return { management: hostIdentityOf(lab, index).cable, uplink: `dr${lab.tag}u${index}` };
}

/** Makes the lab's two bridges, or finds them. */
export async function createBridge(lab: LabIdentity): Promise<void> {
  await bridge(lab.bridge);
  await ip('address', 'replace', `${lab.subnet.gateway}/${lab.subnet.prefixLength}`, 'dev', lab.bridge);
  const uplink = uplinkBridgeOf(lab);
  await bridge(uplink);
  muteIpv6(uplink);
  for (const name of [lab.bridge, uplink]) await ip('link', 'set', name, 'up');
}

/** Removes the lab's two bridges, if they are there. */
export async function removeBridge(lab: LabIdentity): Promise<void> {
  await removeLink(lab.bridge);
  await removeLink(uplinkBridgeOf(lab));
}

/** Connects the network namespace of a process, whose own ends become eth0 and eth1. Nothing else is connected to it. */
export async function plugIn(lab: LabIdentity, index: number, pid: number): Promise<void> {
  const { address, mac } = hostIdentityOf(lab, index);
  const cables = cablesOf(lab, index);
  await unplug(lab, index);
  await cable(cables.management, lab.bridge, MANAGEMENT_NIC, pid, ['address', mac]);
  await cable(cables.uplink, uplinkBridgeOf(lab), UPLINK_NIC, pid);
  const inside = (...args: string[]) => run('nsenter', ['--target', `${pid}`, '--net', 'ip', ...args]);
  await inside('address', 'add', `${address}/${lab.subnet.prefixLength}`, 'dev', MANAGEMENT_NIC);
  for (const nic of ['lo', MANAGEMENT_NIC, UPLINK_NIC]) await inside('link', 'set', nic, 'up');
}

/** Removes a host's cables, if they are there. */
export async function unplug(lab: LabIdentity, index: number): Promise<void> {
  for (const name of Object.values(cablesOf(lab, index))) await removeLink(name);
}

/** Takes the machine's ends down or up: the host sees its NICs lose or gain their carrier. */
export async function setCables(lab: LabIdentity, index: number, state: 'down' | 'up'): Promise<void> {
  for (const name of Object.values(cablesOf(lab, index))) {
    if (linkExists(name)) await ip('link', 'set', name, state);
  }
}

export function linkExists(name: string): boolean {
  return existsSync(`/sys/class/net/${name}`);
}

async function bridge(name: string): Promise<void> {
  if (linkExists(name)) return;
  // No spanning tree, and so no wait before a new port forwards.
  await ip(
    'link',
    'add',
    'name',
    name,
    'type',
    'bridge',
    'stp_state',
    '0',
    'forward_delay',
    '0',
    'mcast_snooping',
    '0',
  );
}

async function cable(name: string, bridgeName: string, nic: string, pid: number, peer: string[] = []): Promise<void> {
  await ip('link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', nic, ...peer, 'netns', `${pid}`);
  await ip('link', 'set', name, 'master', bridgeName, 'up');
}

/** The machine must not answer on the VMs' network, not even by a link-local address. */
function muteIpv6(name: string): void {
  const file = `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`;
  if (existsSync(file) && readFileSync(file, 'utf8').trim() !== '1') writeFileSync(file, '1');
}

/** A cable also goes by itself, a moment after the network namespace at its other end: it may do so right now. */
async function removeLink(name: string): Promise<void> {
  if (!linkExists(name)) return;
  try {
    await ip('link', 'delete', name);
  } catch (error) {
    if (linkExists(name)) throw error;
  }
}

async function ip(...args: string[]): Promise<void> {
  await run('ip', args);
}
