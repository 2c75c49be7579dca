import * as z from 'zod';
import { matching, withRules } from './common/cel.ts';
import { defineKind } from './common/kind.ts';
import { EntryName, ObjectName, VIRTUAL_MACHINE_NAME_RULE } from './common/names.ts';
import { LabelSelector } from './common/selector.ts';
import { NOT_SEEN_YET } from './common/status.ts';
import { CloudInit, Cpu, Disk, Memory, Nic, Watchdog } from './virtual-machine-devices.ts';
import { VirtualMachineStatus } from './virtual-machine-status.ts';

const Dependency = z.object({
  name: ObjectName.meta({ description: 'VirtualMachine of the same namespace.' }),
  readyWhen: z.enum(['Running', 'GuestToolsConnected']).default('Running').meta({
    description:
      'When it counts as ready. Running (default): its domain runs. GuestToolsConnected: the guest agent in it answers, too.',
  }),
  timeoutSeconds: z.int().min(0, 'cannot be negative: 0 waits for nothing').max(86_400).default(600).meta({
    description:
      'How long it is waited for, in seconds, counted from the moment that the host of this VM is proven to be off. This VM is started without it after that. Default 600.',
  }),
});

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
      description: 'Processors. Default: one vCPU. A change works at the next power cycle (condition RestartRequired).',
    }),
    memory: Memory.meta({ description: 'Memory. A change works at the next power cycle (condition RestartRequired).' }),
    machineType: matching(
      z.string().max(64),
      /^(q35|pc|pc-(q35|i440fx)-[a-z0-9.]+)$/,
      'is no machine type that Drover knows: write q35, pc, or one of them with its version, as in pc-q35-7.2',
    )
      .default('q35')
      .meta({ description: 'QEMU machine type: q35 (default), pc, or one with its version (pc-q35-7.2).' }),
    bootOrder: z.array(EntryName).max(16).optional().meta({
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
      description: 'NoCloud seed, given to the guest as a read-only disk. Absent: none.',
    }),
    watchdog: Watchdog.optional().meta({
      description:
        'A hardware watchdog, for a service in the guest to feed. When it expires the guest is reset, or what HAPolicy.spec.vmFault says is done. Absent: none. A change works at the next power cycle (condition RestartRequired).',
    }),
    ha: z
      .object({
        enabled: z.boolean().default(true).meta({
          description:
            'Whether the VM is run elsewhere when its host dies, and is looked after when its guest fails, where its Cluster has high availability. Default true.',
        }),
        restartPriority: z.enum(['Highest', 'High', 'Medium', 'Low', 'Lowest']).default('Medium').meta({
          description:
            'Which VMs are given hosts first when there are many to be run elsewhere, or too little room for all. Default Medium.',
        }),
        dependsOn: z
          .array(Dependency)
          .max(16)
          .default([])
          .meta({
            description:
              'VMs of the same namespace that must be ready before this one is run elsewhere. They order restarts after a fault, and no other start. Those that depend on each other in a circle are not waited for (condition DependenciesReady). Default: none.',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
          }),
      })
      .prefault({})
      .meta({ description: 'High availability of the VM. Default: enabled, with medium priority.' }),
    guestTools: z.enum(['Required', 'Optional']).default('Optional').meta({
      description:
        'Whether the guest agent (qemu-guest-agent) must answer. Required: the VM counts as protected (condition HAProtected) only while it does. Optional (default): nobody asks.',
    }),
    terminationGracePeriodSeconds: z.int().min(0).max(3600).default(60).meta({
      description:
        'How long the guest may take to shut down (ACPI power button) before it is powered off, in seconds. Default 60; 0 powers off at once.',
    }),
  }),
  {
    rule: '!has(self.bootOrder) || self.bootOrder.all(b, self.disks.exists(d, d.name == b) || self.nics.exists(n, n.name == b))',
    message: 'every entry must be the name of a disk or NIC of this VM',
    fieldPath: '.bootOrder',
  },
  {
    rule: '!has(self.bootOrder) || self.bootOrder.all(b, self.bootOrder.exists_one(c, c == b))',
    message: 'names a disk or NIC twice: each can stand in the boot order once',
    fieldPath: '.bootOrder',
  },
  {
    rule: '!self.disks.exists(d, self.nics.exists(n, n.name == d.name))',
    message: 'a disk and a NIC of one VM cannot have the same name: rename one of them',
    fieldPath: '.nics',
  },
  {
    rule: 'self.disks.all(d, !has(d.volumeName) || self.disks.exists_one(e, has(e.volumeName) && e.volumeName == d.volumeName))',
    message: 'two disks name the same Volume: one guest writing to it twice would destroy its data',
    fieldPath: '.disks',
  },
  {
    rule: 'self.nics.all(n, !has(n.mac) || self.nics.exists_one(m, has(m.mac) && m.mac == n.mac))',
    message: 'two NICs have the same MAC address: give each its own, or leave mac out and one is made',
    fieldPath: '.nics',
  },
).meta({ description: 'The VM as its owner wants it. Nobody else writes it.' });

export const VirtualMachine = defineKind({
  kind: 'VirtualMachine',
  plural: 'virtualmachines',
  shortName: 'vm',
  scope: 'Namespaced',
  description:
    'A virtual machine as its owner wants it. Only users write the spec; what became of it stands in the status. Delete it to shut the guest down and free what was made for it.',
  example: {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      cpu: { coresPerSocket: 2 },
      memory: { size: '2Gi' },
      disks: [
        {
          name: 'root',
          volumeTemplate: { datastoreName: 'shared', size: '20Gi', source: { imageName: 'debian-12' } },
        },
      ],
      nics: [{ name: 'lan', portGroup: 'lan' }],
      cloudInit: { userData: '#cloud-config\nhostname: web\n' },
    },
  },
  conditions: {
    Ready: 'The VM is as its spec wants it: running, paused or off. False or Unknown: the reason says what is missing.',
    Scheduled: 'A host was chosen; the message has one line per host that says why it was taken or not.',
    Running: 'The domain runs on its host.',
    GuestToolsConnected: 'The guest agent inside the VM answers.',
    Migratable:
      'The VM can be moved to another host while it runs, once that has room. False: the reason says what is in the way.',
    RulesSatisfied: 'The VM is where the RuleGroups in effect want it. False: the message names those that it breaks.',
    StorageReachable:
      'The host sees the datastores of all disks of the VM. False: the message says which one it has lost, and what is done about it.',
    HAProtected: 'The VM would run elsewhere if its host died. False: the reason says what is in the way.',
    DependenciesReady:
      'The VMs that it depends on are ready, so that it could be run elsewhere at once. False: the reason says which is not, or that they depend on each other in a circle. Absent: it depends on none.',
    RestartRequired: 'True: the spec has changes that work only after a power cycle; the message names the fields.',
  },
  spec: VirtualMachineSpec,
  status: VirtualMachineStatus,
  initialStatus: { phase: 'Pending', ...NOT_SEEN_YET },
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
      name: 'Address',
      type: 'string',
      jsonPath: '.status.addresses[0]',
      description: "The guest's first IP address",
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
    VIRTUAL_MACHINE_NAME_RULE,
    {
      rule: '!has(self.spec.ha) || !has(self.spec.ha.dependsOn) || self.spec.ha.dependsOn.all(d, d.name != self.metadata.name)',
      message: 'a VM cannot depend on itself: it would wait for itself for ever',
      fieldPath: '.spec.ha.dependsOn',
    },
    {
      rule: "self.spec.disks.all(d, !has(d.volumeTemplate) || !self.spec.disks.exists(e, has(e.volumeName) && e.volumeName == self.metadata.name + '-' + d.name))",
      message:
        'a disk names the Volume that another disk makes by its volumeTemplate, <vm>-<disk>: one guest writing to it twice would destroy its data',
      fieldPath: '.spec.disks',
    },
  ],
});
export type VirtualMachine = z.output<typeof VirtualMachine.object>;
export type VirtualMachineSpec = VirtualMachine['spec'];
export type { VirtualMachineStatus } from './virtual-machine-status.ts';
export type VirtualMachineDisk = VirtualMachineSpec['disks'][number];
export type VirtualMachineDependency = VirtualMachineSpec['ha']['dependsOn'][number];
export type VirtualMachineNic = VirtualMachineSpec['nics'][number];
