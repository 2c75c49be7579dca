import * as z from 'zod';

/** Where an agent serves the load figures of its host: `GET https://<address>:<usagePort>/v1/usage`. */
export const USAGE_PATH = '/v1/usage';

/** ConfigMap in `drover-system` whose key names the one client certificate (PEM) that agents let in. */
export const OPERATOR_CLIENT_CONFIG_MAP = 'drover-operator-client';
export const OPERATOR_CLIENT_CERTIFICATE_KEY = 'certificate';

/** A figure that only grows while its host or VM runs; the rate is the difference of two over that of their times. */
const Counter = z.number().min(0);
const Bytes = z.number().min(0);

/** Time lost to waiting. Source: the kernel's Documentation/accounting/psi.rst, field `total`. */
const Pressure = z.object({
  /** Time in which at least one task waited, in seconds. */
  someSeconds: Counter,
  /** Time in which all tasks waited, in seconds. */
  fullSeconds: Counter,
});

const Disk = z.object({
  /** Device name that libvirt gave it, such as `vda`. */
  name: z.string(),
  readBytes: Counter,
  writtenBytes: Counter,
  readOperations: Counter,
  writeOperations: Counter,
});

const Nic = z.object({
  /** The host's interface, such as `vnet3`. */
  name: z.string(),
  /** As the guest sees it: what it received. */
  receivedBytes: Counter,
  receivedPackets: Counter,
  sentBytes: Counter,
  sentPackets: Counter,
  /** Packets lost in either direction. */
  droppedPackets: Counter,
});

export const VirtualMachineUsage = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** Time that the host's processors spent on it, with the hypervisor's own work, in seconds. */
  cpuSeconds: Counter,
  vcpus: z.int().min(0),
  /** Time that its vCPUs were ready and had to wait for a processor, in seconds. Absent: the host does not tell. */
  readySeconds: Counter.optional(),
  memory: z.object({
    /** What the balloon leaves to the guest. */
    currentBytes: Bytes,
    /** What the guest could have at most. */
    maximumBytes: Bytes,
    /** What the process takes of the host. Absent: not told. */
    residentBytes: Bytes.optional(),
    /** What the guest's system sees. Absent: no balloon driver in the guest. */
    availableBytes: Bytes.optional(),
    /** What the guest's system does not use at all. Absent: no balloon driver in the guest. */
    unusedBytes: Bytes.optional(),
    /** What it could use without swapping. Absent: no balloon driver in the guest. */
    usableBytes: Bytes.optional(),
  }),
  disks: z.array(Disk),
  nics: z.array(Nic),
});
export type VirtualMachineUsage = z.output<typeof VirtualMachineUsage>;

/** The load of one host and its VMs. All figures are of the time `at`; counters begin with the boot or the VM's start. */
export const HostUsage = z.object({
  host: z.string(),
  /** When it was measured (RFC 3339). */
  at: z.iso.datetime({ offset: true }),
  /** Counters of another boot cannot be compared. */
  bootID: z.string(),
  cpu: z.object({
    hardwareThreads: z.int().min(1),
    /** Sums over all hardware threads, in seconds; source: proc(5), /proc/stat. */
    userSeconds: Counter,
    systemSeconds: Counter,
    /** Running guests; not part of userSeconds here. */
    guestSeconds: Counter,
    ioWaitSeconds: Counter,
    idleSeconds: Counter,
    /** Taken by the hypervisor below, where the host is itself a VM. */
    stealSeconds: Counter,
  }),
  memory: z.object({
    totalBytes: Bytes,
    /** What can be had without swapping. */
    availableBytes: Bytes,
    swapTotalBytes: Bytes,
    swapFreeBytes: Bytes,
  }),
  /** Absent: the kernel does not measure it. */
  pressure: z.object({ cpu: Pressure, memory: Pressure, io: Pressure }).optional(),
  /** VMs of Drover that run on the host, by namespace and name. */
  virtualMachines: z.array(VirtualMachineUsage),
});
export type HostUsage = z.output<typeof HostUsage>;
