import * as z from 'zod';
import { withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { ObjectName } from './common/names.ts';
import { NOT_SEEN_YET, ObservedGeneration } from './common/status.ts';
import { MigrationProgress } from './virtual-machine-instance-migration.ts';

/** How long a Migration stays after its end, in seconds, when it says nothing about it: a day. */
export const DEFAULT_TTL_SECONDS = 86_400;
/** Most VMs that are moved as one. */
export const MAX_GROUP = 64;
/** Most reasons that are listed. */
export const MAX_FAILURES = 32;

const MigrationSpec = withRules(
  z.object({
    virtualMachineName: ObjectName.optional().meta({
      description: 'VirtualMachine (same namespace) to move while it runs. Absent: a whole RuleGroup is moved.',
    }),
    ruleGroupName: ObjectName.optional().meta({
      description:
        'RuleGroup (same namespace, KeepTogether) to move as one: all of its VMs arrive, or all stay or return. Absent: one VM is moved.',
    }),
    groupMigrationName: ObjectName.optional().meta({
      description:
        'Migration of a whole RuleGroup that this one is a part of. Set by the operator. Absent: it is no part of one.',
    }),
    targetHost: ObjectName.optional().meta({
      description: 'Host to move it to. Absent: chosen as for a new VM, without the host that it is on.',
    }),
    cause: z.enum(['User', 'Maintenance', 'RuleGroup']).default('User').meta({
      description:
        'Who asked for it. Maintenance: its host is being emptied. RuleGroup: a rule is to be kept. Default User.',
    }),
    ttlSecondsAfterFinished: z.int().min(0).max(31_536_000).default(DEFAULT_TTL_SECONDS).meta({
      description: 'How long the object stays after the end, in seconds. Default 86400: a day.',
    }),
  }),
  {
    rule: 'has(self.virtualMachineName) != has(self.ruleGroupName)',
    message: 'is what to move: name either one VirtualMachine or one RuleGroup',
    fieldPath: '.virtualMachineName',
  },
  { rule: 'self == oldSelf', message: 'cannot be changed: a Migration is made once; make another' },
).meta({ description: 'What to move where. Cannot be changed; delete the Migration to cancel it.' });

const MigrationStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    phase: z
      .enum(['Pending', 'Preparing', 'Running', 'Switching', 'Returning', 'Cancelling', 'Succeeded', 'Failed'])
      .optional()
      .meta({
        description:
          'Pending: waits for its turn. Preparing: the target makes ready. Running: the memory is copied. Switching: the VM runs at the target, and is being handed over. Returning: a VM of a RuleGroup could not be moved, so that the others come back. Cancelling: it is being stopped, the VM stays. Absent: not seen yet.',
      }),
    sourceHost: z.string().max(253).optional().meta({ description: 'Host that the VM leaves. Absent: not begun.' }),
    targetHost: z.string().max(253).optional().meta({ description: 'Host that it moves to. Absent: not chosen yet.' }),
    sourceEpoch: z
      .int()
      .min(1)
      .optional()
      .meta({ description: 'Epoch of the placement that it leaves; the one after it is its end. Absent: not begun.' }),
    placement: z.string().max(32768).optional().meta({
      description: 'Why the target was chosen, one line per host. Absent: not chosen yet.',
    }),
    startedAt: z.string().max(64).optional().meta({ description: 'When it began (RFC 3339). Absent: it has not.' }),
    finishedAt: z.string().max(64).optional().meta({ description: 'When it ended (RFC 3339). Absent: it has not.' }),
    progressPercent: z.int().min(0).max(100).optional().meta({
      description: 'Part of the memory that is at the target. Absent: not measured yet.',
    }),
    progress: MigrationProgress.optional().meta({
      description: 'Figures of the copying, every few seconds. Absent: not measured yet.',
    }),
    downtimeMilliseconds: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'How long the guest stood still. Absent: not known yet.' }),
    failures: z
      .array(
        z.object({
          reason: z.string().max(64).meta({ description: 'What is in the way, in CamelCase.' }),
          message: z.string().max(1024).meta({ description: 'The same in words, and what to do.' }),
        }),
      )
      .max(MAX_FAILURES)
      .optional()
      .meta({
        description: 'Everything that was in the way, at once. Absent: nothing was.',
        'x-kubernetes-list-type': 'atomic',
      }),
    members: z
      .array(
        z.object({
          virtualMachine: z.string().max(253).meta({ description: 'The VM.' }),
          sourceHost: z.string().max(253).meta({ description: 'Host that it leaves.' }),
          state: z.enum(['Waiting', 'Moving', 'Arrived', 'Failed', 'Returning', 'Returned']).meta({
            description: 'How far it is. Returning, Returned: back to the host that it came from.',
          }),
        }),
      )
      .max(MAX_GROUP)
      .optional()
      .meta({
        description: 'VMs of the RuleGroup, by name. Absent: one VM is moved, or it has not begun.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['virtualMachine'],
      }),
    conditions: Conditions,
  })
  .meta({ description: 'How far it is; written by the operator. Default: not seen yet, with Ready Unknown.' });

export const Migration = defineKind({
  kind: 'Migration',
  plural: 'migrations',
  shortName: 'vmig',
  scope: 'Namespaced',
  description:
    'One live migration of one VirtualMachine to another host. It is carried out once; deleting it before its end cancels it, and the VM stays where it is.',
  example: {
    metadata: { name: 'web-to-host-2', namespace: 'default' },
    spec: { virtualMachineName: 'web', targetHost: 'host-2' },
  },
  conditions: {
    Ready: 'The VM runs at its target. False: it is not there yet, or never will be; the message says why.',
    Stalled: 'True: it has failed, and nothing more will come of it.',
  },
  spec: MigrationSpec,
  status: MigrationStatus,
  initialStatus: NOT_SEEN_YET,
  columns: [
    { name: 'VM', type: 'string', jsonPath: '.spec.virtualMachineName', description: 'VM that moves' },
    {
      name: 'Group',
      type: 'string',
      jsonPath: '.spec.ruleGroupName',
      description: 'RuleGroup that moves',
      priority: 1,
    },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'How far it is' },
    { name: 'From', type: 'string', jsonPath: '.status.sourceHost', description: 'Host that it leaves' },
    { name: 'To', type: 'string', jsonPath: '.status.targetHost', description: 'Host that it moves to' },
    { name: '%', type: 'integer', jsonPath: '.status.progressPercent', description: 'Part that is at the target' },
    { name: 'Cause', type: 'string', jsonPath: '.spec.cause', description: 'Who asked for it' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].message",
      description: 'How it stands, in words',
      priority: 1,
    },
    {
      name: 'Downtime',
      type: 'integer',
      jsonPath: '.status.downtimeMilliseconds',
      description: 'How long the guest stood still, in ms',
      priority: 1,
    },
  ],
});
export type Migration = z.output<typeof Migration.object>;
export type MigrationSpec = Migration['spec'];
export type MigrationStatus = NonNullable<Migration['status']>;
export type MigrationFailure = NonNullable<MigrationStatus['failures']>[number];
