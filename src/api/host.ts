import * as z from 'zod';
import { Conditions } from './common/condition.ts';
import { MAX_CPU_FEATURES } from './common/cpu-levels.ts';
import { defineKind } from './common/kind.ts';
import { quantityField } from './common/quantity.ts';
import { ObservedGeneration, ShownSize } from './common/status.ts';
import { HostAvailability } from './host-availability.ts';
import { HostPower } from './host-power.ts';
import { MAX_LEASE_DATASTORES } from './storage-lease.ts';

/** How a host has lost a datastore. */
export const DatastoreLossReason = z.enum(['PermanentlyLost', 'AllPathsDown']);
export type DatastoreLossReason = z.output<typeof DatastoreLossReason>;

/** What a host does that is cut off. */
export const HostIsolation = z
  .object({
    response: z
      .enum(['LeavePoweredOn', 'Shutdown', 'PowerOff'])
      .meta({ description: 'What becomes of its VMs when it alone is cut off (HAPolicy.spec.isolationResponse).' }),
    yieldLease: z.boolean().meta({
      description:
        'Whether it gives up its lease on storage once its VMs are off, so that others may start them. It starts none in this boot then, or in this term of it.',
    }),
    peers: z
      .array(
        z.object({
          name: z.string().max(253).meta({ description: 'The host.' }),
          address: z.string().max(64).meta({ description: 'IP address of its agent.' }),
          port: z.int().min(1).max(65535).meta({ description: 'TCP port of its agent.' }),
        }),
      )
      .max(8)
      .meta({
        description: 'Hosts of its Cluster that it asks whether it is cut off from all.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
  })
  .meta({
    description:
      'What the host does when it is cut off, since it cannot be told then; written by the operator, kept by the agent. Absent: its Cluster has no high availability, and VMs run on.',
  });
export type HostIsolation = z.output<typeof HostIsolation>;

/** Most VMs that an evacuation lists. */
export const MAX_BLOCKED = 64;

const HostSpec = z
  .object({
    maintenance: z.enum(['Disabled', 'Evacuate']).default('Disabled').meta({
      description:
        'Evacuate: the host takes no more VMs, and those that run on it are moved to others while they run. Disabled takes that back: what has moved stays where it is. Default Disabled.',
    }),
    evacuateWhenCordoned: z.boolean().default(true).meta({
      description:
        'Whether a cordoned Node (kubectl cordon, kubectl drain) puts its host into maintenance. Default true.',
    }),
    reserved: z
      .object({
        cpu: quantityField({ least: '0', tooSmall: 'cannot be negative' }).default(0).meta({
          description: 'CPU cores kept from VMs, as a quantity (`500m`). Default 0.',
        }),
        memory: quantityField({ least: '0', tooSmall: 'cannot be negative' }).default(0).meta({
          description: 'Memory kept from VMs, in bytes as a quantity (`4Gi`). Default 0.',
        }),
      })
      .prefault({})
      .meta({ description: 'What the host keeps for itself and is never given to VMs. Default: nothing.' }),
    power: HostPower,
  })
  .prefault({})
  .meta({ description: 'What administrators say about the host. Default: nothing.' });

const Evacuation = z
  .object({
    cause: z.enum(['Spec', 'NodeCordoned', 'FailoverHost']).meta({
      description:
        'What asked for it: spec.maintenance, the Node, or the Cluster, which keeps the host empty for failovers.',
    }),
    since: z.string().max(64).meta({ description: 'When it began (RFC 3339).' }),
    total: z.int().min(0).meta({ description: 'VMs that the host had when it began, and that came since.' }),
    remaining: z.int().min(0).meta({ description: 'VMs that are still on it.' }),
    moving: z.int().min(0).meta({ description: 'Of these, those that are being moved, or wait for their turn.' }),
    blocked: z
      .array(
        z.object({
          virtualMachine: z.string().max(320).meta({ description: 'The VM, as namespace/name.' }),
          reason: z.string().max(64).meta({ description: 'Why it cannot be moved now, in CamelCase.' }),
          message: z.string().max(1024).meta({ description: 'The same in words, and what to do.' }),
        }),
      )
      .max(MAX_BLOCKED)
      .optional()
      .meta({
        description: 'VMs that cannot be moved now, by name; at most 64. They are tried again. Absent: none.',
        'x-kubernetes-list-type': 'atomic',
      }),
  })
  .meta({ description: 'How far the host is emptied; written by the operator. Absent: it is not in maintenance.' });

const HostStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    bootID: z.string().max(64).optional().meta({
      description:
        "The kernel's boot id, a new one after every boot; with .2, .3, … when the host serves again after its lease on storage had lapsed in that boot. Nothing that ran under one of them runs under the next. Absent: not reported.",
    }),
    address: z
      .string()
      .max(64)
      .optional()
      .meta({ description: 'IP address at which the agent serves load figures. Absent: not reported.' }),
    usagePort: z
      .int()
      .min(1)
      .max(65535)
      .optional()
      .meta({ description: 'TCP port at which the agent serves load figures over HTTPS. Absent: not served.' }),
    usageCertificate: z.string().max(4096).optional().meta({
      description:
        'Certificate (PEM) that the agent shows at usagePort; the operator trusts exactly this one. Absent: not served.',
    }),
    sealingKey: z.string().max(128).optional().meta({
      description:
        "Public key (X25519, base64) for which the operator seals Secrets meant for this host's VMs. Absent: no secrets can be sent.",
    }),
    tlsPublicKey: z.string().max(512).optional().meta({
      description:
        'Public key (SPKI, base64) of the host for TLS with other hosts, for which the operator issues tlsCertificate. Absent: none is asked for.',
    }),
    tlsCertificate: z
      .object({
        certificate: z.string().max(4096).meta({ description: 'Certificate (PEM) of tlsPublicKey.' }),
        authorities: z
          .string()
          .max(16_384)
          .meta({ description: 'Certificates (PEM) of the authorities that hosts trust, the newest first.' }),
        notAfter: z.string().max(64).meta({ description: 'When it ends (RFC 3339); it is renewed long before.' }),
      })
      .optional()
      .meta({
        description:
          'By what other hosts know this one when VMs move; issued and renewed by the operator. Absent: not yet.',
      }),
    cpu: z
      .object({
        model: z.string().max(256).meta({ description: 'CPU model as libvirt names it.' }),
        vendor: z.string().max(64).meta({ description: 'CPU vendor as libvirt names it.' }),
        sockets: z.int().min(1).meta({ description: 'CPU sockets.' }),
        coresPerSocket: z.int().min(1).meta({ description: 'Cores in each socket.' }),
        threadsPerCore: z.int().min(1).meta({ description: 'Hardware threads in each core.' }),
        usableModels: z.array(z.string().max(64)).max(512).default([]).meta({
          description:
            "CPU models (libvirt's names) that the host can present to a guest, sorted. Default: not reported.",
          'x-kubernetes-list-type': 'atomic',
        }),
        features: z.array(z.string().max(64)).max(MAX_CPU_FEATURES).default([]).meta({
          description:
            "CPU features (libvirt's names) that the host can give to a guest, sorted. A VM without a CPU baseline has them all, and moves to hosts alone that have them too. Default: not reported.",
          'x-kubernetes-list-type': 'atomic',
        }),
        unusableLevels: z
          .array(
            z.object({
              name: z.string().max(64).meta({ description: "libvirt's CPU model." }),
              missingFeatures: z.array(z.string().max(64)).max(MAX_CPU_FEATURES).default([]).meta({
                description:
                  "What it has and the host lacks (libvirt's names), sorted. Default empty: libvirt does not say.",
                'x-kubernetes-list-type': 'atomic',
              }),
            }),
          )
          .max(64)
          .default([])
          .meta({
            description:
              "Levels of a CPU baseline that the host's libvirt knows and the host cannot present. Default: none, or not reported.",
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
          }),
      })
      .optional()
      .meta({ description: 'Processors of the host. Absent: not reported.' }),
    numaCells: z
      .array(
        z.object({
          id: z.int().min(0).meta({ description: 'Number of the cell, as libvirt counts.' }),
          threads: z.int().min(0).meta({ description: 'Hardware threads of the cell.' }),
          memoryBytes: z.int().min(0).meta({ description: 'Memory of the cell, in bytes.' }),
        }),
      )
      .max(64)
      .optional()
      .meta({
        description:
          'NUMA cells. Of hosts that fit, one of which a single cell is large enough for the VM is preferred. Absent: not reported.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['id'],
      }),
    capacity: z
      .object({
        cpuCores: z.number().min(0).meta({ description: 'Hardware threads: one of them carries one vCPU.' }),
        memoryBytes: z.int().min(0).meta({ description: 'Memory of the host, in bytes.' }),
        memory: ShownSize('memoryBytes'),
      })
      .optional()
      .meta({ description: 'What the host has. Absent: not reported.' }),
    virtualization: z.enum(['kvm', 'qemu']).optional().meta({
      description:
        'libvirt domain type of its VMs: kvm, or qemu (TCG emulation, slow) where KVM does not work. Absent: not reported.',
    }),
    versions: z
      .object({
        libvirt: z.string().max(64).meta({ description: 'Version of libvirt.' }),
        qemu: z.string().max(64).meta({ description: 'Version of QEMU.' }),
        agent: z.string().max(64).meta({ description: "Version of Drover's agent." }),
        kernel: z.string().max(128).meta({ description: 'Version of the kernel.' }),
      })
      .optional()
      .meta({ description: 'What runs on the host. Absent: not reported.' }),
    datastores: z
      .array(
        z.object({
          name: z.string().max(253).meta({ description: 'The Datastore.' }),
          available: z.boolean().meta({ description: 'Whether the host can use it.' }),
          id: z
            .string()
            .max(64)
            .optional()
            .meta({ description: 'Identity that the directory holds. Absent: none found.' }),
          capacityBytes: z
            .int()
            .min(0)
            .optional()
            .meta({ description: 'Size of its file system, in bytes. Absent: not known.' }),
          freeBytes: z.int().min(0).optional().meta({
            description:
              'Free space, in bytes, rounded down (to 1 GiB, on a small file system to 1/64 of it) so that the object changes seldom. Absent: not known.',
          }),
          message: z.string().max(1024).default('').meta({ description: 'Why it cannot be used, empty where it can.' }),
          loss: z
            .object({
              reason: DatastoreLossReason.meta({
                description:
                  'PermanentlyLost: the directory or what lies behind it is gone, and does not come back by itself. AllPathsDown: it does not answer.',
              }),
              since: z.string().max(64).meta({ description: 'When the host noticed it (RFC 3339).' }),
            })
            .optional()
            .meta({
              description:
                'How its disks were lost to the host, by which HAPolicy.spec.datastoreFault acts. Absent: they were not, or what keeps it from being used is no loss (such as a refused access).',
            }),
        }),
      )
      .max(256)
      .default([])
      .meta({
        description: 'What the host sees of each Datastore.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    switches: z
      .array(
        z.object({
          name: z.string().max(253).meta({ description: 'The VirtualSwitch.' }),
          available: z.boolean().meta({ description: 'Whether NICs can be plugged in on this host.' }),
          message: z.string().max(1024).default('').meta({ description: 'Why not, empty where they can.' }),
        }),
      )
      .max(256)
      .default([])
      .meta({
        description: 'What the host has of each VirtualSwitch.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    foreignDomains: z
      .array(
        z.object({
          uuid: z.string().max(64).meta({ description: 'UUID of the domain.' }),
          name: z.string().max(256).meta({ description: 'Name of the domain.' }),
          state: z.string().max(32).meta({ description: 'State of the domain as virsh names it.' }),
        }),
      )
      .max(256)
      .default([])
      .meta({
        description: 'Domains that Drover did not make; they are never touched. At most 256 are listed.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['uuid'],
      }),
    strayDomains: z
      .array(
        z.object({
          uuid: z.string().max(64).meta({ description: 'UUID of the domain.' }),
          virtualMachine: z.string().max(320).meta({ description: 'namespace/name that its metadata holds.' }),
          epoch: z.int().min(0).meta({ description: 'Epoch that its metadata holds.' }),
          message: z.string().max(1024).meta({ description: 'Why it is left running.' }),
        }),
      )
      .max(256)
      .default([])
      .meta({
        description:
          'Domains of Drover that run without an intent, such as after etcd was restored from a backup. They are left running until an intent says otherwise.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['uuid'],
      }),
    incomingMigrations: z
      .array(
        z.object({
          uid: z.string().max(64).meta({ description: 'uid of the Migration.' }),
          virtualMachine: z.string().max(320).meta({ description: 'namespace/name of the VM.' }),
          ready: z.boolean().meta({ description: 'Whether everything that the VM needs is there.' }),
          reason: z.string().max(64).optional().meta({ description: 'Why not, in CamelCase. Absent: it is ready.' }),
          message: z.string().max(1024).optional().meta({ description: 'The same in words. Absent: it is ready.' }),
          domain: z.enum(['Absent', 'Receiving', 'Running']).meta({
            description: 'The copy of the VM here. Receiving: its memory is on its way, and it does not run.',
          }),
          answers: z.string().max(64).optional().meta({
            description:
              'The time of the break that the source could not tell the end of, or of the end of the source: the domain was looked for after it. Absent: nobody has asked.',
          }),
        }),
      )
      .max(64)
      .default([])
      .meta({
        description: 'VMs that move to this host, and whether it is ready for them. Default: none.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['uid'],
      }),
    nodeCordoned: z.boolean().optional().meta({
      description: 'Whether its Node is cordoned (spec.unschedulable); written by the operator. Absent: it is not.',
    }),
    evacuation: Evacuation.optional(),
    systemUUID: z.string().max(64).optional().meta({
      description:
        "UUID of the machine (SMBIOS), by which its BMC's word is known to be about this host. Absent: not reported.",
    }),
    storageLease: z
      .object({
        state: z.enum(['Held', 'Lapsed', 'Over']).meta({
          description:
            'Held: guests run under it. Lapsed: it could not be renewed in time, and its guests of Drover are being killed. Over: none of them is left, and none is started before the storage takes the lease again, with which the host reports another bootID.',
        }),
        selfFenceSeconds: z
          .int()
          .min(1)
          .meta({ description: 'After how long without a renewal its guests are killed, in seconds.' }),
        watchdogSeconds: z
          .int()
          .min(1)
          .meta({ description: 'After how long without being fed its watchdog resets it, in seconds.' }),
        datastoreIDs: z.array(z.string().max(64)).max(MAX_LEASE_DATASTORES).meta({
          description: 'Identities of the shared datastores that it lies on (Datastore.status.id).',
          'x-kubernetes-list-type': 'atomic',
        }),
      })
      .optional()
      .meta({
        description:
          "The lease on shared storage that the host's keeper renews, with its watchdog behind it (see fencing by StorageLease in HAPolicy). Absent: none is held, or there is no watchdog.",
      }),
    powerState: z.enum(['On', 'Off']).optional().meta({
      description: 'What its BMC read last; written by the operator. Absent: it has none, or none that answers.',
    }),
    availability: HostAvailability.optional(),
    isolation: HostIsolation.optional(),
    conditions: Conditions,
  })
  .meta({ description: 'What the host is and has; written by its agent. Absent: not reported yet.' });

export const Host = defineKind({
  kind: 'Host',
  plural: 'hosts',
  shortName: 'dh',
  scope: 'Cluster',
  description: 'A KVM machine. Its agent registers it and writes the status; administrators write the spec.',
  example: { metadata: { name: 'host-1' }, spec: { reserved: { cpu: '500m', memory: '4Gi' } } },
  conditions: {
    Ready: 'The agent renews its lease and libvirt answers, so the host can run VMs. Unknown: the agent is silent.',
    InMaintenance:
      'True: the host is in maintenance, and no VM is on it any more. False: the message says how many are left, and which cannot leave.',
    MigrationReady:
      'The host has a certificate by which other hosts know it, and libvirt uses it. False: VMs cannot be moved to or from it over TLS.',
    CPUCompatible:
      'The host can present the CPU baseline of its Cluster. False: it gets no VMs of the Cluster; the message names the CPU features that it lacks.',
    FencingReady:
      'The host can be proven to be off if it dies: its BMC answers, and is the one of this machine. False: its VMs would wait for an administrator; the message says what to mend.',
    Isolated:
      'The host alone has lost the API server and all other hosts. It cannot say so while that lasts (see status.availability): False with reason WasIsolated says what it did with its VMs then.',
    KVMAvailable: 'Guests run with KVM. False: they are emulated, which is slow; the message says why.',
  },
  rules: [
    {
      rule: 'size(self.metadata.name) <= 200',
      message: 'is too long for a Host: at most 200 characters, since it becomes part of the name of its Lease',
      fieldPath: '.metadata.name',
    },
  ],
  spec: HostSpec,
  status: HostStatus,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].status",
      description: 'Whether it can run VMs',
    },
    {
      name: 'Maintenance',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='InMaintenance')].reason",
      description: 'Whether it is being emptied, or is empty',
    },
    {
      name: 'HA',
      type: 'string',
      jsonPath: '.status.availability.state',
      description: 'Whether it gives signs of life, or is proven to be off',
    },
    { name: 'CPUs', type: 'number', jsonPath: '.status.capacity.cpuCores', description: 'Hardware threads' },
    { name: 'Memory', type: 'string', jsonPath: '.status.capacity.memory', description: 'Memory' },
    {
      name: 'Virt',
      type: 'string',
      jsonPath: '.status.virtualization',
      description: 'kvm, or qemu where KVM does not work',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since it was registered' },
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
      jsonPath: '.status.address',
      description: 'IP address of the agent',
      priority: 1,
    },
    {
      name: 'libvirt',
      type: 'string',
      jsonPath: '.status.versions.libvirt',
      description: 'Version of libvirt',
      priority: 1,
    },
    { name: 'QEMU', type: 'string', jsonPath: '.status.versions.qemu', description: 'Version of QEMU', priority: 1 },
  ],
});
export type Host = z.output<typeof Host.object>;
export type HostStatus = NonNullable<Host['status']>;
export type IncomingMigration = HostStatus['incomingMigrations'][number];
