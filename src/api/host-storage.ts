import * as z from 'zod';
import { MAX_LEASE_DATASTORES } from './storage-lease.ts';

/** How a host has lost a datastore. */
export const DatastoreLossReason = z.enum(['PermanentlyLost', 'AllPathsDown']);
export type DatastoreLossReason = z.output<typeof DatastoreLossReason>;

/** What a host sees of each Datastore. */
export const HostDatastores = z
  .array(
    z.object({
      name: z.string().max(253).meta({ description: 'The Datastore.' }),
      available: z.boolean().meta({ description: 'Whether the host can use it.' }),
      id: z.string().max(64).optional().meta({ description: 'Identity that the directory holds. Absent: none found.' }),
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
  });

/** The lease of a host on shared storage. */
export const HostStorageLease = z
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
  });
