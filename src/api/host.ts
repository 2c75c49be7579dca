import * as z from 'zod';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { quantityField } from './common/quantity.ts';
import { ObservedGeneration, ShownSize } from './common/status.ts';
import { HostAvailability } from './host-availability.ts';
import { ForeignDomains, IncomingMigrations, StrayDomains } from './host-domains.ts';
import { Evacuation } from './host-evacuation.ts';
import { HostIsolation } from './host-isolation.ts';
import { HostCpu, HostNumaCells } from './host-machine.ts';
import { HostPower } from './host-power.ts';
import { HostDatastores, HostStorageLease } from './host-storage.ts';

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
    cpu: HostCpu,
    numaCells: HostNumaCells,
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
    datastores: HostDatastores,
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
    foreignDomains: ForeignDomains,
    strayDomains: StrayDomains,
    incomingMigrations: IncomingMigrations,
    nodeCordoned: z.boolean().optional().meta({
      description: 'Whether its Node is cordoned (spec.unschedulable); written by the operator. Absent: it is not.',
    }),
    evacuation: Evacuation.optional(),
    systemUUID: z.string().max(64).optional().meta({
      description:
        "UUID of the machine (SMBIOS), by which its BMC's word is known to be about this host. Absent: not reported.",
    }),
    storageLease: HostStorageLease,
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
