import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/**
 * Which names, addresses and ports are this lab's own?
 *
 * Names follow from the checkout's real path and the instance ('lab', 'integration', 'e2e', ...) alone. Subnet and
 * ports follow from a slot: two labs may hash to the same slot, so `slots.ts` claims one that is free on this machine.
 */
export interface LabIdentity {
  /** Real path of the checkout. */
  readonly checkout: string;
  /** What the lab is for; labs of one checkout with different instances run side by side. */
  readonly instance: string;
  /** Eight hexadecimal digits that stand in every name this lab gives to something on the machine. */
  readonly tag: string;
  /** `.lab/<instance>` in the checkout: process records, logs, certificates, data. */
  readonly folder: string;
  /** Admin kubeconfig: `.lab/kubeconfig` for the instance 'lab', in the instance's folder for every other. */
  readonly kubeconfig: string;
  /** Name of the bridge that joins the hosts. */
  readonly bridge: string;
  readonly slot: number;
  readonly subnet: LabSubnet;
  readonly ports: LabPorts;
}

/** A /24 that belongs to one lab. `gateway` is the machine itself, on the bridge. */
export interface LabSubnet {
  readonly cidr: string;
  readonly prefixLength: 24;
  readonly network: string;
  readonly gateway: string;
}

/** Ports in the machine's own network namespace. Hosts have their own namespaces and need no numbers of ours. */
export interface LabPorts {
  readonly etcdClient: number;
  readonly etcdPeer: number;
  readonly apiServer: number;
  readonly controllerManager: number;
  /** The operator's health and metrics. */
  readonly operator: number;
  /** TCP and UDP, of the hosts' BMCs, each on a loopback address of its own. */
  readonly bmc: number;
  /** First of the ports that belong to the lab and have no use yet. */
  readonly firstSpare: number;
}

/** What one host of a lab is called. */
export interface LabHostIdentity {
  readonly name: string;
  /** libvirt's host UUID. Never all digits equal, which libvirtd refuses. */
  readonly uuid: string;
  /** The veth end on the bridge; a cable that `cut` unplugs. */
  readonly cable: string;
  readonly mac: string;
  readonly address: string;
}

export const SLOT_COUNT = 512;
export const PORTS_PER_SLOT = 16;
export const HOSTS_MAX = 200;

/** Below Linux's ephemeral ports (32768), above everything that Debian's services listen on by default. */
const FIRST_PORT = 20_000;
const FIRST_HOST_ADDRESS = 11;

export function preferredSlot(checkout: string, instance: string): number {
  return digest(realpathSync(checkout), instance, 'slot').readUInt32BE(0) % SLOT_COUNT;
}

/** @throws when the instance's name does not fit into file and interface names. */
export function identityOf(checkout: string, instance: string, slot: number): LabIdentity {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(instance)) {
    throw new Error(
      `Lab instance "${instance}" is no usable name: it names a folder. Use at most 31 of a-z, 0-9 and "-", a letter first.`,
    );
  }
  const root = realpathSync(resolve(checkout));
  const tag = digest(root, instance).toString('hex').slice(0, 8);
  const folder = join(root, '.lab', instance);
  return {
    checkout: root,
    instance,
    tag,
    folder,
    kubeconfig: instance === 'lab' ? join(root, '.lab', 'kubeconfig') : join(folder, 'kubeconfig'),
    bridge: `dr-${tag}`,
    slot,
    subnet: subnetOfSlot(slot),
    ports: portsOfSlot(slot),
  };
}

/** @param index 1 for the first host. */
export function hostIdentityOf(lab: LabIdentity, index: number): LabHostIdentity {
  if (!Number.isInteger(index) || index < 1 || index > HOSTS_MAX) {
    throw new Error(`Host number ${index} is out of range: a lab's hosts are numbered 1 to ${HOSTS_MAX}.`);
  }
  const name = `host-${index}`;
  const bytes = digest(lab.checkout, lab.instance, name);
  return {
    name,
    uuid: uuidFrom(bytes),
    cable: `dr${lab.tag}c${index}`,
    mac: macFrom(bytes),
    address: addressIn(lab.subnet, FIRST_HOST_ADDRESS + index - 1),
  };
}

export function subnetOfSlot(slot: number): LabSubnet {
  const prefix = `10.${201 + Math.floor(slot / 256)}.${slot % 256}`;
  return { cidr: `${prefix}.0/24`, prefixLength: 24, network: `${prefix}.0`, gateway: `${prefix}.1` };
}

export function portsOfSlot(slot: number): LabPorts {
  const base = FIRST_PORT + slot * PORTS_PER_SLOT;
  return {
    etcdClient: base,
    etcdPeer: base + 1,
    apiServer: base + 2,
    controllerManager: base + 3,
    operator: base + 4,
    bmc: base + 5,
    firstSpare: base + 6,
  };
}

function addressIn(subnet: LabSubnet, lastOctet: number): string {
  return subnet.network.replace(/\.0$/, `.${lastOctet}`);
}

/**
 * RFC 9562 version 8: a UUID of our own making, stable for the host. With its bytes in another order it has no version, so
 * that it can be told from an IPMI BMC in which order that one sends it.
 */
function uuidFrom(bytes: Buffer): string {
  const uuid = Buffer.from(bytes.subarray(0, 16));
  uuid.writeUInt8((uuid.readUInt8(6) & 0x0f) | 0x80, 6);
  uuid.writeUInt8((uuid.readUInt8(8) & 0x3f) | 0x80, 8);
  for (const place of [7, 9]) uuid.writeUInt8(uuid.readUInt8(place) & 0x0f, place);
  return uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Locally administered, unicast. */
function macFrom(bytes: Buffer): string {
  const tail = bytes.subarray(16, 21).toString('hex').match(/../g) ?? [];
  return ['02', ...tail].join(':');
}

function digest(...parts: string[]): Buffer {
  return createHash('sha256').update(parts.join('\0')).digest();
}

/** Beside the kubeconfig: holds kubectl and its plugin, for the user's PATH. */
export function binFolderOf({ kubeconfig }: Pick<LabIdentity, 'kubeconfig'>): string {
  return join(dirname(kubeconfig), 'bin');
}

/** By which kubectl finds the lab, and its plugin `kubectl drover`: one takes no flags before its name. */
export function kubectlEnvironment(lab: Pick<LabIdentity, 'kubeconfig'>): Record<string, string> {
  return { KUBECONFIG: lab.kubeconfig, PATH: `${binFolderOf(lab)}:${process.env['PATH'] ?? ''}` };
}
