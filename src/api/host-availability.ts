import * as z from 'zod';

/** By what a boot of a host was proven to be over. */
export const ProofMethod = z.enum(['BMC', 'StorageLease', 'Administrator']);
export type ProofMethod = z.output<typeof ProofMethod>;

/** What high availability knows of a host; written by the operator. */
export const HostAvailability = z
  .object({
    state: z.enum(['Online', 'Suspect', 'Isolated', 'Dead', 'Fencing', 'Fenced', 'Standby', 'Recovered']).meta({
      description:
        'Online: it gives signs of life. Suspect: they have stopped. Isolated: nobody reaches it, but it renews its lease on storage: its VMs run on. Dead: none on any path for longer than the policy allows, but nothing proves it. Fencing: its power is being cut. Fenced: it is proven to be off. Standby: the same of a host that was emptied for maintenance first: nothing is amiss. Recovered: it has booted since, and has not looked for all of its VMs yet.',
    }),
    since: z.string().max(64).meta({ description: 'Since when (RFC 3339).' }),
    bootID: z.string().max(64).meta({ description: 'Boot of the host that this speaks of.' }),
    detectedAt: z.string().max(64).optional().meta({
      description: 'When its silence was noticed (RFC 3339). Absent: it gives signs of life.',
    }),
    reason: z.string().max(64).meta({ description: 'Why it is in this state, in CamelCase.' }),
    message: z.string().max(2048).meta({ description: 'The same in words, and what to do.' }),
    fence: z
      .object({
        bootID: z.string().max(64).meta({ description: 'Boot that was to be ended.' }),
        method: ProofMethod.meta({ description: 'By what.' }),
        startedAt: z.string().max(64).meta({ description: 'When it was begun (RFC 3339).' }),
        attempts: z.int().min(0).meta({ description: 'Attempts so far.' }),
        confirmedAt: z.string().max(64).optional().meta({
          description: 'When the host was proven to be off (RFC 3339). Absent: it is not.',
        }),
        message: z
          .string()
          .max(1024)
          .optional()
          .meta({ description: 'Why the last attempt failed. Absent: it did not.' }),
      })
      .optional()
      .meta({
        description:
          'The last fencing. Once it is confirmed, nothing of that boot runs any more, for ever. Absent: there was none.',
      }),
    refusedConfirmation: z.string().max(64).optional().meta({
      description:
        'Boot of which an administrator has confirmed that it is over while it was not. The confirmation counts no more, until it is taken away and made anew. Absent: none.',
    }),
  })
  .meta({
    description:
      'What high availability knows of the host; written by the operator. Absent: its Cluster has none (spec.ha), or it was not looked at yet.',
  });
export type HostAvailability = z.output<typeof HostAvailability>;
