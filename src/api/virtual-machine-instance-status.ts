import * as z from 'zod';
import { Conditions } from './common/condition.ts';
import { MAX_CPU_FEATURES } from './common/cpu-levels.ts';
import { ObservedGeneration } from './common/status.ts';
import { guestFaultFields } from './guest-fault.ts';
import { InstanceMigrationStatus } from './virtual-machine-instance-migration.ts';

/** What the host made of a VirtualMachineInstance; written by its agent. */
export const InstanceStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    observedEpoch: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'Epoch that this status speaks of. Absent: not seen by an agent yet.' }),
    host: z.string().max(253).optional().meta({ description: 'Host whose agent wrote this status. Absent: none yet.' }),
    bootID: z.string().max(64).optional().meta({
      description:
        'Boot of the host that this status speaks of, as in Host.status.bootID: what it says of a domain ended with that boot. Within one boot of the kernel it never goes back to an earlier term. Absent: none yet.',
    }),
    phase: z.enum(['Starting', 'Running', 'Paused', 'Stopping', 'Off', 'CrashLoop', 'Failed']).optional().meta({
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
    cpu: z
      .object({
        model: z.string().max(64).optional().meta({
          description: "libvirt's CPU model, as a CPU baseline asked for it. Absent: all that its first host had.",
        }),
        features: z.array(z.string().max(64)).max(MAX_CPU_FEATURES).optional().meta({
          description:
            "CPU features (libvirt's names) that its first host gave it, sorted. Absent: those of the model.",
          'x-kubernetes-list-type': 'atomic',
        }),
      })
      .optional()
      .meta({
        description:
          'CPU that the guest was started with and keeps until its next power cycle, also over migrations. Absent: not running, or not known.',
      }),
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
    restartDelaySeconds: z.int().min(0).optional().meta({
      description:
        'How long the last of these starts was held back, in seconds; the next one waits longer, up to 300. Absent: none, or it ran for 10 minutes since.',
    }),
    powerOffAt: z.string().max(64).optional().meta({
      description:
        'When the power is cut if the guest has not shut down by then (RFC 3339). Absent: no shutdown under way.',
    }),
    nextStartAt: z
      .string()
      .max(64)
      .optional()
      .meta({ description: 'When the next start is tried in a crash loop (RFC 3339). Absent: no wait.' }),
    lastStop: z
      .object({
        at: z.string().max(64).meta({ description: 'When (RFC 3339).' }),
        reason: z.enum(['Shutdown', 'Destroyed', 'Crashed', 'Failed', 'Migrated', 'Saved', 'Lost']).meta({
          description:
            'How. Shutdown: by the guest. Destroyed: its power was cut. Crashed: the guest, or its QEMU. Migrated: it moved. Saved: to a file. Lost: it was gone when the agent came back. Failed: otherwise.',
        }),
      })
      .optional()
      .meta({ description: 'How the domain stopped last. Absent: never.' }),
    restartRequired: z.array(z.string().max(64)).max(32).optional().meta({
      description: 'Fields of the spec that work only after a power cycle. Absent: none.',
      'x-kubernetes-list-type': 'atomic',
    }),
    guestTools: z
      .object({
        connected: z.boolean().meta({ description: 'Whether the guest agent has its channel open.' }),
        silentSince: z.string().max(64).optional().meta({
          description:
            'Since when the guest agent has not answered although its channel is open (RFC 3339), once that is longer than the policy allows. Absent: it answers, or nobody asks.',
        }),
        suppressedBy: z.enum(['Migration', 'MinUptime', 'RecentIO']).optional().meta({
          description:
            'Why nothing is done about that. Migration: the VM is being moved. MinUptime: it was started or reset a short while ago. RecentIO: it still reads, writes or sends. Absent: nothing is in the way.',
        }),
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
    migration: InstanceMigrationStatus.optional(),
    guestFault: z
      .object(guestFaultFields)
      .optional()
      .meta({ description: 'The last failure of the guest that the policy spoke of. Absent: none.' }),
    conditions: Conditions,
  })
  .meta({ description: 'What the host made of it; written by the agent of that host. Absent: not seen yet.' });
