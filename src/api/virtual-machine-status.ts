import * as z from 'zod';
import { withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { ObservedGeneration } from './common/status.ts';
import { guestFaultFields } from './guest-fault.ts';
import { Recovery } from './recovery.ts';

/** What became of a VirtualMachine; written by the operator. */
export const VirtualMachineStatus = withRules(
  z.object({
    observedGeneration: ObservedGeneration,
    phase: z
      .enum([
        'Pending',
        'Starting',
        'Running',
        'Migrating',
        'Paused',
        'Stopping',
        'Halted',
        'CrashLoop',
        'Failed',
        'Unknown',
      ])
      .optional()
      .meta({
        description:
          'The state in one word, for people; programs read the conditions. Pending: no host was chosen yet, or it was not looked at. Absent: the same.',
      }),
    host: z.string().optional().meta({ description: 'Host that runs the VM, or ran it last. Absent: not placed yet.' }),
    epoch: z.int().min(0).optional().meta({
      description: 'Number of the newest placement of this VM; grows by one at each. Absent: not placed yet.',
    }),
    domainUUID: z.string().optional().meta({ description: 'UUID of the libvirt domain. Absent: not placed yet.' }),
    startedAt: z
      .string()
      .optional()
      .meta({ description: 'When the running domain was started (RFC 3339). Absent: not running.' }),
    restarts: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'How often the VM was started again after it had stopped by itself. Absent: never.' }),
    addresses: z.array(z.string().max(64)).max(64).optional().meta({
      description: "The guest's IP addresses, as its tools report them. Absent: not known.",
      'x-kubernetes-list-type': 'atomic',
    }),
    nics: z
      .array(
        z.object({
          name: z.string().meta({ description: 'NIC of the spec.' }),
          mac: z.string().meta({ description: 'Its MAC address, kept for good.' }),
        }),
      )
      .max(10)
      .optional()
      .meta({
        description: 'MAC address of each NIC. Absent: not placed yet.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    guest: z
      .object({
        hostname: z.string().optional().meta({ description: "The guest's host name. Absent: not reported." }),
        os: z.string().optional().meta({ description: "The guest's operating system. Absent: not reported." }),
      })
      .optional()
      .meta({ description: 'What the guest tools report. Absent: no tools, or not connected.' }),
    lastFailover: z
      .object({
        from: z.string().max(253).meta({ description: 'Host that had it.' }),
        to: z.string().max(253).meta({ description: 'Host that was given it.' }),
        detectedAt: z
          .string()
          .max(64)
          .meta({ description: "When the host's silence, or its loss of a datastore, was noticed (RFC 3339)." }),
        fencedAt: z.string().max(64).optional().meta({
          description: 'When it was proven to be off (RFC 3339). Absent: the VM had never begun to run there.',
        }),
        decidedAt: z.string().max(64).meta({ description: 'When the VM was given to its new host (RFC 3339).' }),
        runningAt: z
          .string()
          .max(64)
          .optional()
          .meta({ description: 'When it ran there (RFC 3339). Absent: it does not yet.' }),
        proof: z.string().max(64).meta({
          description:
            'By what nothing of it ran any more on the host before: BMC, StorageLease, Administrator, HostConfirmed (that host has stopped it and said so), or NeverStarted (it had never begun to start it).',
        }),
      })
      .optional()
      .meta({
        description:
          'The last time that it was started elsewhere because its host had died, or had lost a datastore. Absent: never.',
      }),
    recovery: Recovery.optional(),
    lastFault: z
      .object({ ...guestFaultFields, host: z.string().max(253).meta({ description: 'Host that it was on.' }) })
      .optional()
      .meta({
        description: 'The last time that its guest failed, where its HAPolicy does something about it. Absent: never.',
      }),
    conditions: Conditions,
  }),
  {
    rule: '!has(oldSelf.epoch) || (has(self.epoch) && self.epoch >= oldSelf.epoch)',
    message: 'can only grow: an operator whose caches are behind must not have an older placement follow',
    fieldPath: '.epoch',
  },
).meta({ description: 'What became of the VM; written by the operator. Default: not seen yet, with Ready Unknown.' });
export type VirtualMachineStatus = z.output<typeof VirtualMachineStatus>;
