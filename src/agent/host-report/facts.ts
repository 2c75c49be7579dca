import { release } from 'node:os';
import { showBytes } from '../../api/common/quantity.ts';
import type { HostStatus } from '../../api/host.ts';
import type { Libvirt } from '../../libvirt/index.ts';
import { hostCpu, numaCells, systemUUID, versionText } from './capabilities.ts';
import type { GuestCpus } from './guest-cpu.ts';

/** What libvirt knows of the host. */
export type HostFacts = Required<Pick<HostStatus, 'cpu' | 'numaCells' | 'capacity' | 'versions'>> &
  Pick<HostStatus, 'systemUUID'>;

const KIB = 1024;
const TIMEOUT_MS = 10_000;

/**
 * Asks libvirt for the host's hardware and versions.
 * @throws LibvirtError, LibvirtTransportError
 */
export async function readHostFacts(
  libvirt: Pick<Libvirt, 'call'>,
  guestCpus: GuestCpus,
  agentVersion: string,
  signal: AbortSignal,
): Promise<HostFacts> {
  const options = { signal, timeoutMs: TIMEOUT_MS };
  const [node, { capabilities }, guestCpu, { libVer }, { hvVer }] = await Promise.all([
    libvirt.call('nodeGetInfo', {}, options),
    libvirt.call('connectGetCapabilities', {}, options),
    guestCpus.look(signal),
    libvirt.call('connectGetLibVersion', {}, options),
    libvirt.call('connectGetVersion', {}, options),
  ]);
  const memoryBytes = Number(node.memory) * KIB;
  const uuid = systemUUID(capabilities);
  return {
    ...(uuid !== undefined && { systemUUID: uuid }),
    cpu: hostCpu(capabilities, node, guestCpu),
    numaCells: numaCells(capabilities),
    capacity: { cpuCores: node.cpus, memoryBytes, memory: showBytes(memoryBytes) },
    versions: {
      libvirt: versionText(libVer),
      qemu: versionText(hvVer),
      agent: agentVersion.slice(0, 64),
      kernel: release().slice(0, 128),
    },
  };
}
