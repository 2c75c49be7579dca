import * as z from 'zod';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { LabelSelector } from './common/selector.ts';
import { NOT_SEEN_YET, ObservedGeneration } from './common/status.ts';

const ClusterSpec = z
  .object({
    hostSelector: LabelSelector.optional().meta({
      description:
        'Hosts that belong to the Cluster, by label. A Host belongs to one Cluster: where two select it, the older keeps it. Absent: every Host.',
    }),
  })
  .meta({ description: 'Which hosts belong together.' });

const ClusterStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    hosts: z
      .object({
        total: z.int().min(0).meta({ description: 'Hosts that belong to the Cluster.' }),
        ready: z.int().min(0).meta({ description: 'Those that can run VMs now.' }),
      })
      .optional()
      .meta({ description: 'Hosts by state. Absent: not counted yet.' }),
    virtualMachines: z
      .object({
        total: z.int().min(0).meta({ description: 'VirtualMachines that belong to the Cluster.' }),
        running: z.int().min(0).meta({ description: 'Those that run now.' }),
      })
      .optional()
      .meta({ description: 'VMs by state. Absent: not counted yet.' }),
    cpu: z
      .object({
        allocatableCores: z.number().min(0).meta({ description: 'Cores that VMs can have, over all ready hosts.' }),
        reservedCores: z.number().min(0).meta({ description: 'Cores that placed VMs have reserved.' }),
      })
      .optional()
      .meta({ description: 'Processors. Absent: not counted yet.' }),
    memory: z
      .object({
        allocatableBytes: z
          .int()
          .min(0)
          .meta({ description: 'Memory that VMs can have, over all ready hosts, in bytes.' }),
        reservedBytes: z.int().min(0).meta({ description: 'Memory of placed VMs with their overhead, in bytes.' }),
      })
      .optional()
      .meta({ description: 'Memory. Absent: not counted yet.' }),
    conditions: Conditions,
  })
  .meta({
    description:
      'What the Cluster has and carries; written by the operator. Default: not seen yet, with Ready Unknown.',
  });

export const Cluster = defineKind({
  kind: 'Cluster',
  plural: 'clusters',
  shortName: 'dcl',
  scope: 'Cluster',
  description:
    'Hosts that run VMs together. Annotate one with drover.dev/is-default-cluster: "true" for VMs that name none.',
  example: {
    metadata: { name: 'main', annotations: { 'drover.dev/is-default-cluster': 'true' } },
    spec: { hostSelector: { matchLabels: { 'example.org/rack': 'a' } } },
  },
  conditions: {
    Ready: 'At least one of its hosts can run VMs.',
    HostConflict: 'True: hosts are selected by this Cluster and by another; the message says to which each belongs.',
  },
  spec: ClusterSpec,
  status: ClusterStatus,
  initialStatus: NOT_SEEN_YET,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].status",
      description: 'Whether it can run VMs',
    },
    { name: 'Hosts', type: 'integer', jsonPath: '.status.hosts.total', description: 'Hosts that belong to it' },
    { name: 'Hosts Ready', type: 'integer', jsonPath: '.status.hosts.ready', description: 'Hosts that can run VMs' },
    { name: 'VMs', type: 'integer', jsonPath: '.status.virtualMachines.total', description: 'VMs that belong to it' },
    { name: 'Running', type: 'integer', jsonPath: '.status.virtualMachines.running', description: 'VMs that run' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].reason",
      description: 'Why it is Ready or not',
      priority: 1,
    },
  ],
});
export type Cluster = z.output<typeof Cluster.object>;
export type ClusterStatus = NonNullable<Cluster['status']>;
