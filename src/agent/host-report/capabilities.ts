import type { HostStatus } from '../../api/host.ts';
import { childNamed, type XmlElement } from '../../domain/xml/element.ts';
import { parseXml } from '../../domain/xml/parse.ts';
import type { GuestCpuFacts } from './guest-cpu.ts';

/** What `virNodeGetInfo` says; `sockets` are those of one NUMA node. */
export interface NodeInfo {
  readonly nodes: number;
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
}

/** What the schema allows. */
const MAX_CELLS = 64;
/** libvirt gives the memory of a cell in KiB. */
const KIB = 1024;

type HostCpu = NonNullable<HostStatus['cpu']>;

/**
 * The host's processors from libvirt's capabilities XML. Where libvirt does not know the model (as on ARM), the vendor and
 * model are empty; where it gives no topology, that of the node info counts.
 * @throws XmlSyntaxError
 */
export function hostCpu(capabilitiesXml: string, node: NodeInfo, guestCpu: GuestCpuFacts): HostCpu {
  const cpu = childNamed(childNamed(parseXml(capabilitiesXml), 'host'), 'cpu');
  const topology = childNamed(cpu, 'topology');
  const count = (name: string): number | undefined => positive(topology?.attributes[name]);
  const dies = count('dies') ?? 1;
  return {
    model: textOf(cpu, 'model').slice(0, 256),
    vendor: textOf(cpu, 'vendor').slice(0, 64),
    sockets: Math.max(1, count('sockets') ?? node.sockets * node.nodes),
    coresPerSocket: Math.max(1, (count('cores') ?? node.cores) * dies),
    threadsPerCore: Math.max(1, count('threads') ?? node.threads),
    ...guestCpu,
  };
}

/**
 * The NUMA cells of the host from libvirt's capabilities XML, by id; none where libvirt tells of none.
 * @throws XmlSyntaxError
 */
export function numaCells(capabilitiesXml: string): NonNullable<HostStatus['numaCells']> {
  const topology = childNamed(childNamed(parseXml(capabilitiesXml), 'host'), 'topology');
  const cells = childNamed(topology, 'cells')?.children.filter(({ name }) => name === 'cell') ?? [];
  return cells
    .map((cell) => ({
      id: Number(cell.attributes['id']),
      threads: positive(childNamed(cell, 'cpus')?.attributes['num']) ?? 0,
      memoryBytes: Number.parseInt(textOf(cell, 'memory'), 10) * KIB,
    }))
    .filter(({ id, memoryBytes }) => Number.isInteger(id) && Number.isSafeInteger(memoryBytes))
    .toSorted((a, b) => a.id - b.id)
    .slice(0, MAX_CELLS);
}

/**
 * UUID of the machine from libvirt's capabilities XML, lower case: that of its SMBIOS, or the one that libvirtd was told. Undefined:
 * libvirt knows none.
 * @throws XmlSyntaxError
 */
export function systemUUID(capabilitiesXml: string): string | undefined {
  const text = textOf(childNamed(parseXml(capabilitiesXml), 'host'), 'uuid').toLowerCase();
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text) ? text : undefined;
}

/** libvirt packs a version into one number: major × 1,000,000 + minor × 1,000 + release. */
export function versionText(version: number | bigint): string {
  const packed = Number(version);
  return [Math.floor(packed / 1_000_000), Math.floor(packed / 1_000) % 1_000, packed % 1_000].join('.');
}

function textOf(parent: XmlElement | undefined, name: string): string {
  return childNamed(parent, name)?.text ?? '';
}

function positive(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,5}$/.test(text) ? Number(text) : undefined;
}
