import * as z from 'zod';

/** Most VMs that an evacuation lists. */
export const MAX_BLOCKED = 64;

/** How far a host in maintenance has been emptied. */
export const Evacuation = z
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
