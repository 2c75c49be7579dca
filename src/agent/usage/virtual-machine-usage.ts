import type { VirtualMachineUsage } from '../../api/usage.ts';
import type { TypedParams } from '../../libvirt/index.ts';

/** Whose figures they are. */
export interface UsageOwner {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
}

const KIB = 1024;
const NANOSECONDS = 1e9;

/**
 * Pure: the load of one VM from libvirt's figures of its domain (`virConnectGetAllDomainStats`, whose documentation names
 * the fields). Figures that libvirt leaves out, as it does for a domain that is just starting, count as 0 or are left out.
 */
export function virtualMachineUsage(owner: UsageOwner, stats: TypedParams): VirtualMachineUsage {
  const read = (field: string): number | undefined => {
    const value = stats[field];
    return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
  };
  const count = (field: string): number => Math.max(0, read(field) ?? 0);
  const kibibytes = (field: string): number | undefined => {
    const value = read(field);
    return value === undefined ? undefined : value * KIB;
  };
  const optional = <K extends string>(name: K, value: number | undefined) =>
    (value === undefined ? {} : { [name]: value }) as Partial<Record<K, number>>;
  const vcpuNumbers = indexesOf(stats, /^vcpu\.(\d+)\.state$/);
  const delays = vcpuNumbers.flatMap((vcpu) => read(`vcpu.${vcpu}.delay`) ?? []);

  return {
    uid: owner.uid,
    namespace: owner.namespace,
    name: owner.name,
    cpuSeconds: count('cpu.time') / NANOSECONDS,
    vcpus: read('vcpu.current') ?? vcpuNumbers.length,
    ...optional('readySeconds', delays.length === 0 ? undefined : sum(delays) / NANOSECONDS),
    memory: {
      currentBytes: kibibytes('balloon.current') ?? 0,
      maximumBytes: kibibytes('balloon.maximum') ?? 0,
      ...optional('residentBytes', kibibytes('balloon.rss')),
      ...optional('availableBytes', kibibytes('balloon.available')),
      ...optional('unusedBytes', kibibytes('balloon.unused')),
      ...optional('usableBytes', kibibytes('balloon.usable')),
    },
    disks: indexesOf(stats, /^block\.(\d+)\.name$/).map((disk) => ({
      name: String(stats[`block.${disk}.name`]),
      readBytes: count(`block.${disk}.rd.bytes`),
      writtenBytes: count(`block.${disk}.wr.bytes`),
      readOperations: count(`block.${disk}.rd.reqs`),
      writeOperations: count(`block.${disk}.wr.reqs`),
    })),
    nics: indexesOf(stats, /^net\.(\d+)\.name$/).map((nic) => ({
      name: String(stats[`net.${nic}.name`]),
      receivedBytes: count(`net.${nic}.rx.bytes`),
      receivedPackets: count(`net.${nic}.rx.pkts`),
      sentBytes: count(`net.${nic}.tx.bytes`),
      sentPackets: count(`net.${nic}.tx.pkts`),
      droppedPackets: count(`net.${nic}.rx.drop`) + count(`net.${nic}.tx.drop`),
    })),
  };
}

/** The numbers in the names of fields, ascending. */
function indexesOf(stats: TypedParams, field: RegExp): number[] {
  return Object.keys(stats)
    .flatMap((name) => field.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
