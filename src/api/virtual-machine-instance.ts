import * as z from 'zod';
import { immutable, withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { EntryName, MacAddress, ObjectName } from './common/names.ts';
import { ObservedGeneration } from './common/status.ts';

/** A disk as the host attaches it: nothing is left to look up. */
const InstanceDisk = z.object({
  name: EntryName.meta({ description: 'Disk of the VirtualMachine.' }),
  volumeName: ObjectName.meta({ description: 'Volume behind it.' }),
  path: z.string().min(1).max(4096).meta({ description: 'Path of the data on the host.' }),
  format: z.enum(['qcow2', 'raw']).meta({ description: 'Format of the data.' }),
  target: z.string().min(3).max(8).meta({ description: 'Device name for libvirt (`vda`, `sdb`).' }),
  bus: z.enum(['virtio', 'scsi', 'sata']).meta({ description: 'Controller that the guest sees.' }),
  cache: z.enum(['none', 'writethrough', 'writeback', 'directsync']).meta({ description: "QEMU's cache mode." }),
  readOnly: z.boolean().meta({ description: 'The guest may only read.' }),
  serial: z.string().min(1).max(36).meta({ description: 'Serial number that the guest sees.' }),
  bootOrder: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Place in the boot order. Absent: not booted from.' }),
});

const InstanceNic = z.object({
  name: EntryName.meta({ description: 'NIC of the VirtualMachine.' }),
  mac: MacAddress.meta({ description: 'MAC address.' }),
  virtualSwitchName: ObjectName.meta({ description: 'VirtualSwitch that it is plugged into.' }),
  vlan: z.int().min(1).max(4094).optional().meta({ description: 'VLAN of its port. Absent: untagged.' }),
  model: z.enum(['virtio', 'e1000e']).meta({ description: 'Network card that the guest sees.' }),
  bootOrder: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Place in the boot order. Absent: not booted from.' }),
});

/** A secret that only the host of the intent can open. */
const Sealed = z.object({
  source: z
    .string()
    .max(512)
    .meta({ description: 'uid/resourceVersion of the Secret, and the key of the host: sealed anew when one changes.' }),
  box: z.string().max(400_000).meta({ description: 'The sealed bytes (base64).' }),
});

const InstanceSpec = withRules(
  z.object({
    virtualMachineUID: immutable(z.string().min(1).max(64), 'virtualMachineUID').meta({
      ...immutable(z.string(), 'virtualMachineUID').meta(),
      description: 'uid of the VirtualMachine that this instance is of. Cannot be changed.',
    }),
    host: ObjectName.meta({ description: 'Host that runs it.' }),
    epoch: z
      .int()
      .min(1)
      .meta({
        description: 'Number of the placement; grows by one at each. A host refuses an older one than it has seen.',
      }),
    domainUUID: z.string().min(36).max(36).meta({ description: 'UUID of the libvirt domain.' }),
    powerState: z
      .enum(['Running', 'Paused', 'Off'])
      .meta({ description: 'What the domain shall be. Off: shut down with grace, then powered off.' }),
    restartedAt: z
      .string()
      .max(64)
      .default('')
      .meta({
        description: 'Value of the restart annotation; a new one asks for one restart. Default empty: never asked.',
      }),
    restartPolicy: z
      .enum(['Always', 'OnFailure'])
      .meta({
        description:
          'What follows when the guest stops by itself: Always starts it again, OnFailure only after a crash.',
      }),
    gracePeriodSeconds: z
      .int()
      .min(0)
      .max(3600)
      .meta({ description: 'How long a shutdown may take before the power is cut, in seconds.' }),
    machineType: z.string().min(1).max(64).meta({ description: 'QEMU machine type.' }),
    cpu: z
      .object({
        sockets: z.int().min(1).meta({ description: 'CPU sockets.' }),
        coresPerSocket: z.int().min(1).meta({ description: 'Cores in each socket.' }),
        threads: z.int().min(1).meta({ description: 'Threads in each core.' }),
      })
      .meta({ description: 'Processors that the guest sees.' }),
    memoryBytes: z.int().min(1).meta({ description: 'Memory that the guest sees, in bytes.' }),
    reserved: z
      .object({
        cpuCores: z.number().min(0).meta({ description: 'CPU cores kept free for it.' }),
        memoryBytes: z.int().min(0).meta({ description: 'Memory counted against the host, with overhead, in bytes.' }),
      })
      .meta({ description: 'What the placement counted against the host.' }),
    disks: z
      .array(InstanceDisk)
      .max(24)
      .default([])
      .meta({
        description: 'Disks, in order.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    nics: z
      .array(InstanceNic)
      .max(10)
      .default([])
      .meta({
        description: 'Network cards, in order.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    cloudInit: z
      .object({
        instanceID: z
          .string()
          .min(1)
          .max(64)
          .meta({ description: 'cloud-init instance-id; a new one makes the guest set itself up anew.' }),
        hostname: z.string().min(1).max(63).meta({ description: 'Host name for the guest.' }),
        userData: z.string().max(65536).optional().meta({ description: 'user-data. Absent: none, or sealed.' }),
        sealedUserData: Sealed.optional().meta({ description: 'user-data from a Secret. Absent: none, or plain.' }),
        networkData: z.string().max(65536).optional().meta({ description: 'network-config. Absent: none.' }),
      })
      .optional()
      .meta({ description: 'NoCloud seed. Absent: none.' }),
  }),
  { rule: 'self.epoch >= oldSelf.epoch', message: 'epoch can only grow' },
  { rule: 'self.host == oldSelf.host || self.epoch > oldSelf.epoch', message: 'another host needs a higher epoch' },
);

const InstanceStatus = z.object({
  observedGeneration: ObservedGeneration,
  observedEpoch: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Epoch that this status speaks of. Absent: not seen by an agent yet.' }),
  host: z.string().max(253).optional().meta({ description: 'Host whose agent wrote this status. Absent: none yet.' }),
  phase: z
    .enum(['Starting', 'Running', 'Paused', 'Stopping', 'Off', 'CrashLoop', 'Failed'])
    .optional()
    .meta({
      description:
        'State of the domain. Off: it stopped by itself or as asked, and no copy is on the host. Failed: libvirt refused it. Absent: not seen by an agent yet.',
    }),
  reason: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'Why the domain is in this state, in one CamelCase word. Absent: nothing to add.' }),
  message: z
    .string()
    .max(4096)
    .optional()
    .meta({ description: 'The same in words: what failed, why, what to do. Absent: nothing to add.' }),
  startedAt: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'When the domain was started (RFC 3339). Absent: not running.' }),
  restartedAt: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'The restart request that was carried out last. Absent: none.' }),
  restarts: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Starts after the domain had stopped by itself. Absent: none.' }),
  nextStartAt: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'When the next start is tried in a crash loop (RFC 3339). Absent: no wait.' }),
  lastStop: z
    .object({
      at: z.string().max(64).meta({ description: 'When (RFC 3339).' }),
      reason: z
        .enum(['Shutdown', 'Destroyed', 'Crashed', 'Failed', 'Migrated', 'Saved', 'Lost'])
        .meta({
          description:
            'How: the guest shut down, was powered off, crashed, QEMU failed, it moved, or it was gone when the agent came back.',
        }),
    })
    .optional()
    .meta({ description: 'How the domain stopped last. Absent: never.' }),
  restartRequired: z
    .array(z.string().max(64))
    .max(32)
    .optional()
    .meta({
      description: 'Fields of the spec that work only after a power cycle. Absent: none.',
      'x-kubernetes-list-type': 'atomic',
    }),
  guestTools: z
    .object({
      connected: z.boolean().meta({ description: 'Whether the guest agent answers.' }),
      hostname: z.string().max(253).optional().meta({ description: "The guest's host name. Absent: not reported." }),
      os: z.string().max(253).optional().meta({ description: "The guest's operating system. Absent: not reported." }),
      addresses: z
        .array(z.string().max(64))
        .max(64)
        .default([])
        .meta({ description: "The guest's IP addresses.", 'x-kubernetes-list-type': 'atomic' }),
    })
    .optional()
    .meta({ description: 'What the guest tools report. Absent: not running.' }),
  conditions: Conditions,
});

export const VirtualMachineInstance = defineKind({
  kind: 'VirtualMachineInstance',
  plural: 'virtualmachineinstances',
  shortName: 'vmi',
  scope: 'Namespaced',
  description:
    'What one host must run for one VirtualMachine, fully resolved. The operator writes the spec, the agent of the host the status; nobody else writes it.',
  spec: InstanceSpec,
  status: InstanceStatus,
  selectableFields: ['.spec.host'],
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'State of the domain' },
    { name: 'Wanted', type: 'string', jsonPath: '.spec.powerState', description: 'State that it shall have' },
    { name: 'Host', type: 'string', jsonPath: '.spec.host', description: 'Host that runs it' },
    { name: 'Epoch', type: 'integer', jsonPath: '.spec.epoch', description: 'Number of the placement' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
    { name: 'Reason', type: 'string', jsonPath: '.status.reason', description: 'Why it is in this state', priority: 1 },
    {
      name: 'UUID',
      type: 'string',
      jsonPath: '.spec.domainUUID',
      description: 'UUID of the libvirt domain',
      priority: 1,
    },
  ],
});
export type VirtualMachineInstance = z.output<typeof VirtualMachineInstance.object>;
export type VirtualMachineInstanceSpec = VirtualMachineInstance['spec'];
export type VirtualMachineInstanceStatus = NonNullable<VirtualMachineInstance['status']>;
export type InstanceDisk = VirtualMachineInstanceSpec['disks'][number];
export type InstanceNic = VirtualMachineInstanceSpec['nics'][number];
