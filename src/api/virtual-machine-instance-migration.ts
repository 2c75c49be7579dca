import * as z from 'zod';
import { ObjectName } from './common/names.ts';

/** A secret that only one host can open. */
export const Sealed = z.object({
  source: z
    .string()
    .max(512)
    .meta({ description: 'uid/resourceVersion of the Secret, and the key of the host: sealed anew when one changes.' }),
  box: z.string().max(400_000).meta({ description: 'The sealed bytes (base64).' }),
});

/** The migration that an instance is in; written by the operator. */
export const InstanceMigration = z
  .object({
    name: ObjectName.meta({ description: 'The Migration (same namespace).' }),
    uid: z.string().min(1).max(64).meta({ description: 'uid of the Migration: a host carries each out at most once.' }),
    targetHost: ObjectName.meta({ description: 'Host that the VM moves to.' }),
    targetAddress: z.string().min(1).max(64).meta({ description: 'IP address at which its libvirt is reached.' }),
    order: z.enum(['Prepare', 'Migrate', 'Abort', 'KeepSource', 'KeepTarget']).meta({
      description:
        'What is to be done now. Prepare: the target makes ready. Migrate: the source copies. Abort: the source stops copying and goes on. KeepSource, KeepTarget: which copy goes on after a break that left neither running for sure.',
    }),
    transport: z.enum(['TLS', 'TCP']).meta({ description: 'How the hosts speak with each other.' }),
    bandwidthBytesPerSecond: z
      .int()
      .min(1)
      .optional()
      .meta({ description: 'Most that is copied, in bytes per second. Absent: no limit.' }),
    maxDowntimeMilliseconds: z
      .int()
      .min(1)
      .meta({ description: 'How long the guest may stand still at the end at most, in milliseconds.' }),
    autoConverge: z
      .boolean()
      .meta({ description: 'Whether a guest that writes faster than is copied is slowed down.' }),
    postCopy: z.boolean().meta({ description: 'Whether a stalled migration goes on by post-copy.' }),
    progressTimeoutSeconds: z
      .int()
      .min(1)
      .meta({ description: 'After how long without progress the next means against a stall is taken, in seconds.' }),
    completionTimeoutSeconds: z
      .int()
      .min(1)
      .meta({ description: 'After how long the migration is given up, or goes on by post-copy, in seconds.' }),
    sealedUserData: Sealed.optional().meta({
      description: 'user-data from a Secret, sealed for the target. Absent: none, or plain.',
    }),
    sourceFencedAt: z.string().max(64).optional().meta({
      description:
        'When the boot of the source in which the VM ran was proven to be over (RFC 3339). The target ends a copy that has never run, and says in its Host what it has. Absent: the source is not known to be off.',
    }),
  })
  .meta({ description: 'The migration that is under way. Absent: none.' });

export type InstanceMigration = z.output<typeof InstanceMigration>;

/** Figures of a migration while it copies, as libvirt gives them. */
export const MigrationProgress = z.object({
  at: z.string().max(64).meta({ description: 'When this was measured (RFC 3339).' }),
  totalBytes: z.int().min(0).meta({ description: 'Memory of the guest, in bytes.' }),
  processedBytes: z
    .int()
    .min(0)
    .meta({ description: 'Copied so far, pages that were copied again included, in bytes.' }),
  remainingBytes: z.int().min(0).meta({ description: 'Still to copy, in bytes.' }),
  bytesPerSecond: z.int().min(0).meta({ description: 'Rate at which is copied.' }),
  dirtiedBytesPerSecond: z.int().min(0).meta({ description: 'Rate at which the guest writes memory anew.' }),
  iteration: z.int().min(0).meta({ description: 'How often the memory has been gone through.' }),
  maxDowntimeMilliseconds: z.int().min(0).meta({ description: 'Downtime that is allowed by now.' }),
  throttlePercent: z
    .int()
    .min(0)
    .max(100)
    .meta({ description: 'How much the CPUs of the guest are slowed down, so that the copying converges.' }),
  postCopy: z.boolean().meta({ description: 'Whether the guest runs at the target already and fetches its memory.' }),
});
export type MigrationProgress = z.output<typeof MigrationProgress>;

/** What the source made of it. */
export const InstanceMigrationStatus = z
  .object({
    uid: z.string().max(64).meta({ description: 'uid of the Migration that this is about.' }),
    phase: z.enum(['Running', 'Moved', 'Failed', 'Unclear']).meta({
      description:
        'Running: the memory is being copied. Moved: no copy is left here, the one at the target runs. Failed: it is over, and the VM is still here. Unclear: it broke off at the very end, and what the target has must be seen first.',
    }),
    startedAt: z.string().max(64).optional().meta({ description: 'When copying began (RFC 3339). Absent: not begun.' }),
    endedAt: z.string().max(64).optional().meta({ description: 'When it ended (RFC 3339). Absent: it has not.' }),
    reason: z.string().max(64).optional().meta({ description: 'Why it failed, in CamelCase. Absent: it has not.' }),
    message: z.string().max(1024).optional().meta({ description: 'The same in words. Absent: it has not failed.' }),
    progress: MigrationProgress.optional().meta({
      description: 'Figures, every few seconds. Absent: not measured yet.',
    }),
    downtimeMilliseconds: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'How long the guest stood still. Absent: not known.' }),
  })
  .meta({ description: 'The migration under way, or how it ended. Absent: none.' });
export type InstanceMigrationStatus = z.output<typeof InstanceMigrationStatus>;
