import * as z from 'zod';
import { withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { EntryName, MacAddress, ObjectName } from './common/names.ts';
import { Quantity } from './common/quantity.ts';
import { LabelSelector } from './common/selector.ts';
import { ObservedGeneration } from './common/status.ts';
import { VolumeProvisioning, VolumeSource } from './volume.ts';

/** CPU topology of a guest: one vCPU per hardware thread that the guest sees. */
export const Cpu = withRules(
  z.object({
    sockets: z.int().min(1).max(64).default(1).meta({ description: 'CPU sockets that the guest sees. Default 1.' }),
    coresPerSocket: z.int().min(1).max(256).default(1).meta({ description: 'Cores in each socket. Default 1.' }),
    threads: z
      .int()
      .min(1)
      .max(8)
      .default(1)
      .meta({ description: 'Hardware threads in each core. Default 1. vCPUs = sockets × coresPerSocket × threads.' }),
    reservation: Quantity.optional().meta({
      ...Quantity.meta(),
      description:
        'CPU cores kept free for this VM on its host, as a quantity of cores (`500m`, `2`). Absent: none; the VM takes part in what is free, as in vSphere.',
    }),
  }),
  {
    rule: 'self.sockets * self.coresPerSocket * self.threads <= 512',
    message: 'sockets × coresPerSocket × threads must be at most 512 vCPUs',
  },
);

export const Memory = z.object({
  size: Quantity.meta({
    ...Quantity.meta(),
    description: 'Memory that the guest sees, in bytes as a quantity (`2Gi`).',
  }),
});

/** A Volume that the operator makes for this VM and that lives as long as the VM. */
export const VolumeTemplate = z.object({
  datastoreName: ObjectName.meta({ description: 'Datastore on which the Volume is made.' }),
  size: Quantity.optional().meta({
    ...Quantity.meta(),
    description: 'Size that the guest sees, in bytes as a quantity. Absent: the size of the image it is cloned from.',
  }),
  provisioning: VolumeProvisioning,
  source: VolumeSource,
  reclaimPolicy: z
    .enum(['Delete', 'Retain'])
    .default('Delete')
    .meta({
      description:
        'What happens to the Volume when the VM is deleted: Delete (default) removes its data, Retain keeps it.',
    }),
});

export const Disk = withRules(
  z.object({
    name: EntryName.meta({
      description: 'Name of the disk within the VM; its serial number in the guest starts with it.',
    }),
    volumeName: ObjectName.optional().meta({
      description: 'Volume (same namespace) behind the disk. Exactly one of volumeName and volumeTemplate.',
    }),
    volumeTemplate: VolumeTemplate.optional().meta({
      description: 'Makes a Volume named `<vm>-<disk>` for this VM. Exactly one of volumeName and volumeTemplate.',
    }),
    bus: z
      .enum(['virtio', 'scsi', 'sata'])
      .default('virtio')
      .meta({ description: 'Controller that the guest sees. Default virtio.' }),
    cache: z
      .enum(['none', 'writethrough', 'writeback', 'directsync'])
      .default('none')
      .meta({
        description:
          "QEMU's cache mode on the host. Default none (the host's page cache is bypassed), the one that is safe for migration.",
      }),
    readOnly: z.boolean().default(false).meta({ description: 'The guest may only read. Default false.' }),
  }),
  {
    rule: 'has(self.volumeName) != has(self.volumeTemplate)',
    message: 'give exactly one of volumeName (an existing Volume) and volumeTemplate (a Volume made for this VM)',
  },
);

export const Nic = z.object({
  name: EntryName.meta({ description: 'Name of the NIC within the VM.' }),
  portGroup: ObjectName.meta({ description: 'PortGroup (same namespace) that the NIC is plugged into.' }),
  mac: withRules(MacAddress, {
    rule: "!self.matches('^.[13579bdf]')",
    message: 'a NIC needs a unicast MAC address: the second digit must be even, as in 52:54:00:12:34:56',
  })
    .optional()
    .meta({
      description:
        'MAC address, lower case with colons. Absent: one is made from the VM and NIC and kept, see status.nics.',
    }),
  model: z
    .enum(['virtio', 'e1000e'])
    .default('virtio')
    .meta({ description: 'Network card that the guest sees. Default virtio.' }),
});

export const CloudInit = withRules(
  z.object({
    userData: z
      .string()
      .min(1)
      .max(65536)
      .optional()
      .meta({
        description:
          'cloud-init user-data, readable to all who can read the VM. Absent: none, or that of userDataSecret.',
      }),
    userDataSecret: z
      .object({
        name: ObjectName.meta({ description: 'Secret in the same namespace.' }),
        key: z
          .string()
          .min(1)
          .max(253)
          .default('userData')
          .meta({ description: 'Key within the Secret. Default userData.' }),
      })
      .optional()
      .meta({
        description:
          "Secret that holds the user-data; it is sealed for the VM's host on its way there. Absent: none, or userData.",
      }),
    networkData: z
      .string()
      .min(1)
      .max(65536)
      .optional()
      .meta({ description: 'cloud-init network-config. Absent: the guest decides (usually DHCP).' }),
  }),
  { rule: '!(has(self.userData) && has(self.userDataSecret))', message: 'give userData or userDataSecret, not both' },
);

const VirtualMachineSpec = withRules(
  z.object({
    clusterName: ObjectName.optional().meta({
      description: 'Cluster that runs the VM. Absent: the Cluster annotated drover.dev/is-default-cluster.',
    }),
    hostSelector: LabelSelector.optional().meta({
      description: 'Hosts that may run the VM, by label. Absent: every host of the Cluster.',
    }),
    runStrategy: z.enum(['Always', 'RerunOnFailure', 'Halted']).default('Always').meta({
      description:
        'Always (default): runs, and is started again however it stopped. RerunOnFailure: started again after a crash, but stays off when the guest shuts itself down. Halted: off.',
    }),
    paused: z
      .boolean()
      .default(false)
      .meta({ description: "Stops the guest's CPUs while its memory is kept. Default false." }),
    cpu: Cpu.prefault({}).meta({
      ...Cpu.meta(),
      description: 'Processors. Default: one vCPU. A change works at the next power cycle (condition RestartRequired).',
    }),
    memory: Memory.meta({ description: 'Memory. A change works at the next power cycle (condition RestartRequired).' }),
    machineType: z
      .string()
      .max(64)
      .regex(/^(q35|pc)(-[a-z0-9]+(-[0-9.]+)?)?$/)
      .default('q35')
      .meta({ description: 'QEMU machine type: q35 (default), pc, or one with its version (pc-q35-7.2).' }),
    bootOrder: z
      .array(EntryName)
      .max(16)
      .optional()
      .meta({
        description:
          'Names of disks and NICs in the order in which the firmware tries them. Absent: the disks as listed, then the NICs.',
        'x-kubernetes-list-type': 'atomic',
      }),
    disks: z
      .array(Disk)
      .max(24)
      .default([])
      .meta({
        description: 'Disks, in the order in which the guest sees them. Default: none.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    nics: z
      .array(Nic)
      .max(10)
      .default([])
      .meta({
        description: 'Network cards. Default: none.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    cloudInit: CloudInit.optional().meta({
      ...CloudInit.meta(),
      description: 'NoCloud seed, given to the guest as a read-only disk. Absent: none.',
    }),
    terminationGracePeriodSeconds: z
      .int()
      .min(0)
      .max(3600)
      .default(60)
      .meta({
        description:
          'How long the guest may take to shut down (ACPI power button) before it is powered off, in seconds. Default 60; 0 powers off at once.',
      }),
  }),
  {
    rule: '!has(self.bootOrder) || self.bootOrder.all(b, self.disks.exists(d, d.name == b) || self.nics.exists(n, n.name == b))',
    message: 'every entry of bootOrder must be the name of a disk or NIC of this VM',
  },
  {
    rule: '!self.disks.exists(d, self.nics.exists(n, n.name == d.name))',
    message: 'a disk and a NIC of one VM cannot have the same name',
  },
);

const VirtualMachineStatus = z.object({
  observedGeneration: ObservedGeneration,
  phase: z
    .enum(['Pending', 'Starting', 'Running', 'Paused', 'Stopping', 'Halted', 'CrashLoop', 'Failed', 'Unknown'])
    .optional()
    .meta({ description: 'The state in one word, for people; programs read the conditions. Absent: not seen yet.' }),
  host: z.string().optional().meta({ description: 'Host that runs the VM, or ran it last. Absent: not placed yet.' }),
  epoch: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Number of the newest placement of this VM; grows by one at each. Absent: not placed yet.' }),
  domainUUID: z.string().optional().meta({ description: 'UUID of the libvirt domain. Absent: not placed yet.' }),
  startedAt: z
    .string()
    .optional()
    .meta({ description: 'When the running domain was started (RFC 3339). Absent: not running.' }),
  restarts: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'How often the VM was started again after it had stopped by itself. Absent: never.' }),
  addresses: z
    .array(z.string().max(64))
    .max(64)
    .optional()
    .meta({
      description: "The guest's IP addresses, as its tools report them. Absent: not known.",
      'x-kubernetes-list-type': 'atomic',
    }),
  nics: z
    .array(
      z.object({
        name: z.string().meta({ description: 'NIC of the spec.' }),
        mac: z.string().meta({ description: 'Its MAC address, kept for good.' }),
      }),
    )
    .max(10)
    .optional()
    .meta({
      description: 'MAC address of each NIC. Absent: not placed yet.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    }),
  guest: z
    .object({
      hostname: z.string().optional().meta({ description: "The guest's host name. Absent: not reported." }),
      os: z.string().optional().meta({ description: "The guest's operating system. Absent: not reported." }),
    })
    .optional()
    .meta({ description: 'What the guest tools report. Absent: no tools, or not connected.' }),
  conditions: Conditions,
});

export const VirtualMachine = defineKind({
  kind: 'VirtualMachine',
  plural: 'virtualmachines',
  shortName: 'vm',
  scope: 'Namespaced',
  description:
    'A virtual machine as its owner wants it. Only users write the spec; what became of it stands in the status. Delete it to shut the guest down and free what was made for it.',
  spec: VirtualMachineSpec,
  status: VirtualMachineStatus,
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'State in one word' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].status",
      description: 'Whether the VM is as its spec wants it',
    },
    { name: 'Host', type: 'string', jsonPath: '.status.host', description: 'Host that runs it' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].reason",
      description: 'Why it is Ready or not',
      priority: 1,
    },
    {
      name: 'Addresses',
      type: 'string',
      jsonPath: '.status.addresses',
      description: "The guest's IP addresses",
      priority: 1,
    },
    {
      name: 'Restarts',
      type: 'integer',
      jsonPath: '.status.restarts',
      description: 'Restarts after unwanted stops',
      priority: 1,
    },
    {
      name: 'Epoch',
      type: 'integer',
      jsonPath: '.status.epoch',
      description: 'Number of the newest placement',
      priority: 1,
    },
  ],
  rules: [
    {
      rule: 'size(self.metadata.name) <= 63',
      message:
        'the name of a VirtualMachine can have at most 63 characters: it becomes the guest host name and part of the domain name',
      fieldPath: '.metadata.name',
    },
  ],
});
export type VirtualMachine = z.output<typeof VirtualMachine.object>;
export type VirtualMachineSpec = VirtualMachine['spec'];
export type VirtualMachineStatus = NonNullable<VirtualMachine['status']>;
export type VirtualMachineDisk = VirtualMachineSpec['disks'][number];
export type VirtualMachineNic = VirtualMachineSpec['nics'][number];
