import * as z from 'zod';
import { matching, withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { HostNames, NOT_SEEN_YET, ObservedGeneration, ShownSize } from './common/status.ts';

const DatastoreSpec = withRules(
  z.object({
    type: z
      .enum(['Directory'])
      .meta({ description: 'Directory: a directory that exists on the hosts, local or a mounted shared file system.' }),
    path: matching(
      z.string().max(1024),
      /^(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$/,
      'is no usable absolute path: begin each part with "/" and use letters, digits, "_", "." and "-", no part beginning with ".", as in /srv/vms',
    ).meta({
      description:
        'Absolute path of the directory, the same on every host. It must exist: Drover never makes it, since an unmounted file system looks like an empty directory.',
    }),
    shared: z.boolean().default(false).meta({
      description:
        'Whether all hosts see the same directory (NFS, CephFS, GFS2, ...). Default false: each host has its own. A claim that is not true is found out and the Datastore is not used.',
    }),
  }),
  { rule: 'self == oldSelf', message: 'cannot be changed: Volumes lie on the Datastore; make a new one' },
).meta({ description: 'What the Datastore is on every host.' });

const DatastoreStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    id: z.string().max(64).optional().meta({
      description:
        'Identity written into the shared directory when it was first seen; a host whose directory does not hold it does not see this Datastore. Absent: not shared, or not seen yet.',
    }),
    hosts: HostNames.optional().meta({
      description: 'Hosts that see it, sorted. Absent: none.',
      'x-kubernetes-list-type': 'atomic',
    }),
    capacityBytes: z.int().min(0).optional().meta({
      description: 'Size of the file system, in bytes; of the smallest one where not shared. Absent: not known.',
    }),
    freeBytes: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'Free space, in bytes; of the fullest one where not shared. Absent: not known.' }),
    capacity: ShownSize('capacityBytes'),
    free: ShownSize('freeBytes'),
    conditions: Conditions,
  })
  .meta({ description: 'Who sees the Datastore; written by the operator. Default: not seen yet, with Ready Unknown.' });

export const Datastore = defineKind({
  kind: 'Datastore',
  plural: 'datastores',
  shortName: 'dst',
  scope: 'Cluster',
  description: 'Storage for Volumes and Images. Tenants name it, only administrators write it.',
  example: { metadata: { name: 'shared' }, spec: { type: 'Directory', path: '/srv/vms', shared: true } },
  conditions: { Ready: 'At least one host sees it. False: the message says what the hosts found.' },
  spec: DatastoreSpec,
  status: DatastoreStatus,
  initialStatus: NOT_SEEN_YET,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].status",
      description: 'Whether some host sees it',
    },
    { name: 'Type', type: 'string', jsonPath: '.spec.type', description: 'Kind of storage' },
    { name: 'Shared', type: 'boolean', jsonPath: '.spec.shared', description: 'Whether all hosts see the same data' },
    { name: 'Capacity', type: 'string', jsonPath: '.status.capacity', description: 'Size' },
    { name: 'Free', type: 'string', jsonPath: '.status.free', description: 'Free space' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
    { name: 'Path', type: 'string', jsonPath: '.spec.path', description: 'Directory on the hosts', priority: 1 },
    { name: 'Hosts', type: 'string', jsonPath: '.status.hosts', description: 'Hosts that see it', priority: 1 },
  ],
});
export type Datastore = z.output<typeof Datastore.object>;
export type DatastoreStatus = NonNullable<Datastore['status']>;
