import * as z from 'zod';
import { type CelRule, immutable, matching, withRules } from './common/cel.ts';
import { defineKind } from './common/kind.ts';
import { EntryName, MacAddress, ObjectName, VIRTUAL_MACHINE_NAME_RULE } from './common/names.ts';
import { ActedAt } from './guest-fault.ts';
import { ProofMethod } from './host-availability.ts';
import { DatastoreLossReason } from './host-storage.ts';
import { FailedStart, GaveUp, MAX_RESTART_ATTEMPTS } from './recovery.ts';
import { InstanceMigration, Sealed } from './virtual-machine-instance-migration.ts';
import { InstanceStatus } from './virtual-machine-instance-status.ts';

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

/** What the host does about a guest that fails: the policy of the VM's Cluster, which agents do not read. */
const VMFault = z
  .object({
    action: z.enum(['Reboot', 'Restart']).meta({
      description:
        'Reboot: the guest is reset. Restart: its host says so here, and the operator starts the VM elsewhere.',
    }),
    heartbeatTimeoutSeconds: z.int().min(1).meta({ description: 'How long guest tools may stay silent, in seconds.' }),
    ioQuietSeconds: z.int().min(0).meta({
      description:
        'For how long a silent guest must have read, written and sent nothing, in seconds. 0: not looked at.',
    }),
    minUptimeSeconds: z
      .int()
      .min(0)
      .meta({ description: 'How long after a start or a reset silent tools are not judged, in seconds.' }),
    maxResets: z.int().min(1).meta({ description: 'How often it is reset or restarted within windowSeconds.' }),
    windowSeconds: z.int().min(1).meta({ description: 'Over how long resets are counted, in seconds.' }),
    actedAt: ActedAt.optional().meta({
      description:
        'When the VM was reset or restarted because of its guest before there was this instance (RFC 3339), oldest first. Absent: never.',
      'x-kubernetes-list-type': 'atomic',
    }),
  })
  .meta({
    description: 'What is done when the guest fails. Absent: no high availability, or its policy does nothing.',
  });

const InstanceSpec = withRules(
  z.object({
    virtualMachineUID: immutable(
      z.string().min(1).max(64),
      'cannot be changed: an instance belongs to one VirtualMachine',
    ).meta({
      description: 'uid of the VirtualMachine that this instance is of. Cannot be changed.',
    }),
    host: ObjectName.meta({ description: 'Host that runs it.' }),
    epoch: z.int().min(1).meta({
      description: 'Number of the placement; grows by one at each. A host refuses an older one than it has seen.',
    }),
    bootID: z.string().max(64).optional().meta({
      description:
        'Boot of the host, as in Host.status.bootID, in which this placement may be started at once. In any other boot the host first writes into the status that it may run it. Absent: in every boot.',
    }),
    domainUUID: immutable(
      matching(
        z.string().max(36),
        /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
        'is no UUID: write it in lower case, as in 4f1c2d3e-0000-4000-8000-000000000001',
      ),
      'cannot be changed: it names the domain that may be running',
    ).meta({ description: 'UUID of the libvirt domain. Cannot be changed.' }),
    powerState: z
      .enum(['Running', 'Paused', 'Off'])
      .meta({ description: 'What the domain shall be. Off: shut down with grace, then powered off.' }),
    restartedAt: z.string().max(64).default('').meta({
      description: 'Value of the restart annotation; a new one asks for one restart. Default empty: never asked.',
    }),
    restartPolicy: z.enum(['Always', 'OnFailure']).meta({
      description: 'What follows when the guest stops by itself: Always starts it again, OnFailure only after a crash.',
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
        model: z
          .string()
          .max(64)
          .optional()
          .meta({ description: "libvirt's CPU model that the guest sees. Absent: that of the host." }),
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
    watchdog: z
      .object({ model: z.enum(['i6300esb']).meta({ description: 'The device that the guest feeds.' }) })
      .optional()
      .meta({ description: 'Hardware watchdog. Absent: none.' }),
    vmFault: VMFault.optional(),
    hostFault: z
      .object({
        action: z.enum(['None']).meta({
          description:
            'None: when its host has failed and is back, the VM stays off there until a restart is asked for.',
        }),
      })
      .optional()
      .meta({ description: 'What its host does with it after it has failed. Absent: it starts it again.' }),
    migration: InstanceMigration.optional(),
    failover: z
      .object({
        fromHost: ObjectName.meta({ description: 'Host that had it.' }),
        bootID: z.string().max(64).optional().meta({
          description: 'Boot of that host that is proven to be over. Absent: it had never begun to start it.',
        }),
        proof: z.enum([...ProofMethod.options, 'NeverStarted', 'HostConfirmed']).meta({
          description:
            'By what nothing of it runs there. HostConfirmed: that host has stopped it and said so. NeverStarted: a host begins no VM before it has said so here, and it had not.',
        }),
        detectedAt: z.string().max(64).meta({
          description: "When that host's silence, or its loss of a datastore, was noticed (RFC 3339).",
        }),
        fencedAt: z.string().max(64).optional().meta({
          description: 'When it was proven to be off (RFC 3339). Absent: nothing had to be proven.',
        }),
        decidedAt: z.string().max(64).meta({ description: 'When the VM was given to its new host (RFC 3339).' }),
        epoch: z.int().min(1).meta({ description: 'Epoch of the placement that it led to.' }),
        tried: z.array(FailedStart).max(MAX_RESTART_ATTEMPTS).optional().meta({
          description:
            'Placements of this recovery that came to nothing, the oldest first. While the newest is that of this epoch, the host is to confirm that nothing of it is left. Absent: none.',
          'x-kubernetes-list-type': 'atomic',
        }),
        gaveUp: GaveUp.optional(),
      })
      .optional()
      .meta({ description: 'The last failover: why the host before was left. Absent: none.' }),
    datastoreFault: z
      .object({
        datastoreName: ObjectName.meta({ description: 'Datastore that the host has lost.' }),
        reason: DatastoreLossReason.meta({ description: 'How.' }),
        detectedAt: z.string().max(64).meta({ description: 'When the host noticed it (RFC 3339).' }),
        decidedAt: z.string().max(64).meta({ description: 'When the VM was to be stopped for it (RFC 3339).' }),
      })
      .optional()
      .meta({
        description:
          'Why the domain shall be off although the VM is to run: its host has lost a datastore, and it is started on another host once this one has confirmed that it is off. Absent: nothing of the kind.',
      }),
  }),
  {
    rule: 'self.epoch >= oldSelf.epoch',
    message: 'can only grow: a host refuses an older placement than it has seen',
    fieldPath: '.epoch',
  },
  {
    rule: 'self.host == oldSelf.host || self.epoch > oldSelf.epoch',
    message: 'cannot be changed without a higher epoch: two hosts would hold the same placement',
    fieldPath: '.host',
  },
).meta({ description: 'What the host must run, with nothing left to look up; written by the operator.' });

/**
 * What a host claims, it claims for a boot, or for a term of one (`src/core/ha/term.ts`). An agent's write of an earlier term that is late
 * must not hide the claim of a later one: it would be acted upon as proven to be over. Of two boots nobody can tell which was first.
 */
const CLAIM_RULE: CelRule = {
  rule: [
    '!has(self.status) || !has(self.status.bootID) || [',
    "has(oldSelf.status) && has(oldSelf.status.bootID) ? oldSelf.status.bootID : '',",
    'has(self.spec.bootID) && has(self.status.observedEpoch) && self.status.observedEpoch == self.spec.epoch',
    "? self.spec.bootID : ''",
    "].all(known, known.split('.')[0] != self.status.bootID.split('.')[0]",
    "|| int((known + '.1').split('.')[1]) <= int((self.status.bootID + '.1').split('.')[1]))",
  ].join(' '),
  message: 'is an earlier term of the same boot than the one that was claimed, or placed, before: it is over',
  fieldPath: '.status.bootID',
};

export const VirtualMachineInstance = defineKind({
  kind: 'VirtualMachineInstance',
  plural: 'virtualmachineinstances',
  shortName: 'vmi',
  scope: 'Namespaced',
  description:
    'What one host must run for one VirtualMachine, fully resolved. The operator writes the spec, the agent of the host the status; nobody else writes it.',
  example: {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      virtualMachineUID: 'c0a1f0c2-6a4b-4a57-9d0e-0a9f9d3c1b11',
      host: 'host-1',
      epoch: 1,
      domainUUID: '4f1c2d3e-5b6a-4789-8abc-0123456789ab',
      powerState: 'Running',
      restartPolicy: 'Always',
      gracePeriodSeconds: 60,
      machineType: 'q35',
      cpu: { sockets: 1, coresPerSocket: 2, threads: 1 },
      memoryBytes: 2147483648,
      reserved: { cpuCores: 0, memoryBytes: 2415919104 },
      nics: [{ name: 'lan', mac: '52:54:00:12:34:56', virtualSwitchName: 'lan', model: 'virtio' }],
    },
  },
  conditions: {
    Ready: 'The domain is as the spec wants it. False: the reason and the message say what the host could not do.',
  },
  rules: [VIRTUAL_MACHINE_NAME_RULE, CLAIM_RULE],
  spec: InstanceSpec,
  status: InstanceStatus,
  selectableFields: ['.spec.host', '.spec.migration.targetHost'],
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'State of the domain' },
    { name: 'Wanted', type: 'string', jsonPath: '.spec.powerState', description: 'State that it shall have' },
    { name: 'Host', type: 'string', jsonPath: '.spec.host', description: 'Host that runs it' },
    { name: 'Epoch', type: 'integer', jsonPath: '.spec.epoch', description: 'Number of the placement' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
    { name: 'Reason', type: 'string', jsonPath: '.status.reason', description: 'Why it is in this state', priority: 1 },
    {
      name: 'Migrates To',
      type: 'string',
      jsonPath: '.spec.migration.targetHost',
      description: 'Host that it moves to',
      priority: 1,
    },
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
/** The CPU of a guest. */
export type GuestCpu = NonNullable<VirtualMachineInstanceStatus['cpu']>;
/** What is done about a guest that fails. */
export type InstanceHostFault = NonNullable<VirtualMachineInstanceSpec['hostFault']>;
export type InstanceVMFault = NonNullable<VirtualMachineInstanceSpec['vmFault']>;
export type GuestFault = NonNullable<VirtualMachineInstanceStatus['guestFault']>;
export type InstanceDisk = VirtualMachineInstanceSpec['disks'][number];
export type InstanceNic = VirtualMachineInstanceSpec['nics'][number];
