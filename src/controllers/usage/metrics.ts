import { Counter, Gauge } from 'prom-client';
import type { HostUsage, VirtualMachineUsage } from '../../api/usage.ts';
import type { Metrics } from '../../runtime/index.ts';
import type { UsageSamples } from './samples.ts';

type Labels = Readonly<Record<string, string>>;
/** Undefined: the host does not tell this figure. */
type Figure = readonly [labels: Labels, value: number | undefined];

interface Family {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}
interface HostFamily extends Family {
  readonly figures: (usage: HostUsage) => readonly Figure[];
}
interface VirtualMachineFamily extends Family {
  readonly figures: (usage: VirtualMachineUsage) => readonly Figure[];
}

/** Names follow prometheus.io/docs/practices/naming: base units; `_total` marks what only grows. */
const HOST_FAMILIES: readonly HostFamily[] = [
  {
    name: 'drover_host_cpu_seconds_total',
    help: 'Time of all hardware threads of the host by mode: user, system, guest, iowait, idle, steal.',
    labels: ['mode'],
    figures: ({ cpu }) => [
      [{ mode: 'user' }, cpu.userSeconds],
      [{ mode: 'system' }, cpu.systemSeconds],
      [{ mode: 'guest' }, cpu.guestSeconds],
      [{ mode: 'iowait' }, cpu.ioWaitSeconds],
      [{ mode: 'idle' }, cpu.idleSeconds],
      [{ mode: 'steal' }, cpu.stealSeconds],
    ],
  },
  {
    name: 'drover_host_hardware_threads',
    help: 'Hardware threads of the host.',
    labels: [],
    figures: ({ cpu }) => [[{}, cpu.hardwareThreads]],
  },
  {
    name: 'drover_host_memory_bytes',
    help: 'Memory of the host: total, and available (what can be had without swapping).',
    labels: ['state'],
    figures: ({ memory }) => [
      [{ state: 'total' }, memory.totalBytes],
      [{ state: 'available' }, memory.availableBytes],
    ],
  },
  {
    name: 'drover_host_swap_bytes',
    help: 'Swap space of the host: total and free.',
    labels: ['state'],
    figures: ({ memory }) => [
      [{ state: 'total' }, memory.swapTotalBytes],
      [{ state: 'free' }, memory.swapFreeBytes],
    ],
  },
  {
    name: 'drover_host_pressure_seconds_total',
    help: 'Time in which tasks of the host waited for a resource (cpu, memory, io): some of them, or all (full).',
    labels: ['resource', 'tasks'],
    figures: ({ pressure }) =>
      Object.entries(pressure ?? {}).flatMap(([resource, { someSeconds, fullSeconds }]): Figure[] => [
        [{ resource, tasks: 'some' }, someSeconds],
        [{ resource, tasks: 'full' }, fullSeconds],
      ]),
  },
  {
    name: 'drover_host_usage_timestamp_seconds',
    help: 'When the host measured the figures that are shown (Unix time).',
    labels: [],
    figures: ({ at }) => [[{}, Date.parse(at) / 1000]],
  },
];

const VM_FAMILIES: readonly VirtualMachineFamily[] = [
  {
    name: 'drover_vm_cpu_seconds_total',
    help: "Time that the host's processors spent on the VM, with the hypervisor's own work.",
    labels: [],
    figures: ({ cpuSeconds }) => [[{}, cpuSeconds]],
  },
  {
    name: 'drover_vm_cpu_ready_seconds_total',
    help: "Time that the VM's vCPUs were ready and had to wait for a processor.",
    labels: [],
    figures: ({ readySeconds }) => [[{}, readySeconds]],
  },
  {
    name: 'drover_vm_vcpus',
    help: 'vCPUs of the VM.',
    labels: [],
    figures: ({ vcpus }) => [[{}, vcpus]],
  },
  {
    name: 'drover_vm_memory_bytes',
    help: 'Memory of the VM: current (what the balloon leaves), maximum, resident (taken of the host), and as the guest sees it available, unused, usable.',
    labels: ['state'],
    figures: ({ memory }) => [
      [{ state: 'current' }, memory.currentBytes],
      [{ state: 'maximum' }, memory.maximumBytes],
      [{ state: 'resident' }, memory.residentBytes],
      [{ state: 'available' }, memory.availableBytes],
      [{ state: 'unused' }, memory.unusedBytes],
      [{ state: 'usable' }, memory.usableBytes],
    ],
  },
  {
    name: 'drover_vm_disk_bytes_total',
    help: 'Bytes that the guest read from and wrote to a disk.',
    labels: ['disk', 'direction'],
    figures: ({ disks }) =>
      disks.flatMap(({ name: disk, readBytes, writtenBytes }): Figure[] => [
        [{ disk, direction: 'read' }, readBytes],
        [{ disk, direction: 'write' }, writtenBytes],
      ]),
  },
  {
    name: 'drover_vm_disk_operations_total',
    help: 'Requests of the guest to a disk.',
    labels: ['disk', 'direction'],
    figures: ({ disks }) =>
      disks.flatMap(({ name: disk, readOperations, writeOperations }): Figure[] => [
        [{ disk, direction: 'read' }, readOperations],
        [{ disk, direction: 'write' }, writeOperations],
      ]),
  },
  {
    name: 'drover_vm_nic_bytes_total',
    help: 'Bytes that the guest received and sent over a NIC; nic is the interface on the host.',
    labels: ['nic', 'direction'],
    figures: ({ nics }) =>
      nics.flatMap(({ name: nic, receivedBytes, sentBytes }): Figure[] => [
        [{ nic, direction: 'receive' }, receivedBytes],
        [{ nic, direction: 'send' }, sentBytes],
      ]),
  },
  {
    name: 'drover_vm_nic_packets_total',
    help: 'Packets that the guest received and sent over a NIC, and those lost in either direction.',
    labels: ['nic', 'direction'],
    figures: ({ nics }) =>
      nics.flatMap(({ name: nic, receivedPackets, sentPackets, droppedPackets }): Figure[] => [
        [{ nic, direction: 'receive' }, receivedPackets],
        [{ nic, direction: 'send' }, sentPackets],
        [{ nic, direction: 'dropped' }, droppedPackets],
      ]),
  },
];

/** Serves the newest figures as metrics; they are made when the metrics are read. */
export function exposeUsage(samples: UsageSamples, metrics: Metrics): void {
  for (const { figures, ...family } of HOST_FAMILIES) {
    expose(metrics, { ...family, labels: ['host', ...family.labels] }, () =>
      samples.list().flatMap((usage) => withLabels({ host: usage.host }, figures(usage))),
    );
  }
  for (const { figures, ...family } of VM_FAMILIES) {
    expose(metrics, { ...family, labels: ['host', 'namespace', 'name', ...family.labels] }, () =>
      samples
        .list()
        .flatMap(({ host, virtualMachines }) =>
          virtualMachines.flatMap((vm) => withLabels({ host, namespace: vm.namespace, name: vm.name }, figures(vm))),
        ),
    );
  }
}

function withLabels(common: Labels, figures: readonly Figure[]): Figure[] {
  return figures.map(([labels, value]) => [{ ...common, ...labels }, value]);
}

function expose({ registry }: Metrics, { name, help, labels }: Family, figures: () => readonly Figure[]): void {
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  const isCounter = name.endsWith('_total');
  if (isCounter) {
    new Counter({
      ...options,
      collect() {
        this.reset();
        for (const [own, value] of figures()) if (value !== undefined) this.inc(own, value);
      },
    });
    return;
  }
  new Gauge({
    ...options,
    collect() {
      this.reset();
      for (const [own, value] of figures()) if (value !== undefined) this.set(own, value);
    },
  });
}
