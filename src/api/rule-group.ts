import * as z from 'zod';
import { immutable, withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { ObjectName } from './common/names.ts';
import { LabelSelector } from './common/selector.ts';
import { HostNames, NOT_SEEN_YET, ObservedGeneration } from './common/status.ts';

/** Most VMs of one group: rules about more are a mistake of a selector. */
export const MAX_MEMBERS = 1024;
/** Most hosts of one group. */
const MAX_HOSTS = 1024;
/** Most violations and conflicts that a status lists. */
export const MAX_LISTED = 32;

/** Objects by name, by label, or both. */
function namesOrSelector(what: 'VirtualMachine' | 'Host', most: number, names: string, selector: string) {
  return withRules(
    z.object({
      names: z.array(ObjectName).max(most).optional().meta({ description: names, 'x-kubernetes-list-type': 'set' }),
      selector: LabelSelector.optional().meta({ description: selector }),
    }),
    {
      rule: 'has(self.names) && size(self.names) > 0 || has(self.selector)',
      message: `names no ${what}: give names, selector or both`,
    },
  );
}

const Members = namesOrSelector(
  'VirtualMachine',
  MAX_MEMBERS,
  'VirtualMachines (same namespace) by name; one that does not exist yet counts once it does. Absent: none.',
  'VirtualMachines (same namespace) by label, besides those that are named. Absent: none.',
);

const Hosts = namesOrSelector(
  'Host',
  MAX_HOSTS,
  'Hosts by name. Absent: none.',
  'Hosts by label, besides those that are named. Absent: none.',
);

const RuleGroupSpec = withRules(
  z.object({
    type: immutable(
      z.enum(['KeepTogether', 'Separate', 'VMsToHosts']),
      'cannot be changed: it would be another rule; make a new RuleGroup',
    ).meta({
      description:
        'KeepTogether: the VMs run on one host, and move together. Separate: each on a host of its own. VMsToHosts: on, or off, certain hosts (relation). Cannot be changed.',
    }),
    virtualMachines: Members.meta({ description: 'The VMs that the rule is about.' }),
    hosts: Hosts.optional().meta({
      description: 'The hosts of a VMsToHosts rule. Absent: the rule is of another type.',
    }),
    relation: z.enum(['MustRunOn', 'ShouldRunOn', 'MustNotRunOn', 'ShouldNotRunOn']).optional().meta({
      description:
        'How VMs and hosts of a VMsToHosts rule are related; Must is never broken, Should gives way where it cannot be kept. Absent: the rule is of another type.',
    }),
    enforcement: z.enum(['Required', 'Preferred']).optional().meta({
      description:
        'Of KeepTogether and Separate: Required is never broken by Drover, Preferred gives way where it cannot be kept. Absent: Required; a VMsToHosts rule says it by its relation.',
    }),
  }),
  {
    rule: "(self.type == 'VMsToHosts') == has(self.hosts)",
    message: 'belongs to a VMsToHosts rule, and every such rule needs it: the hosts, by names or selector',
    fieldPath: '.hosts',
  },
  {
    rule: "(self.type == 'VMsToHosts') == has(self.relation)",
    message:
      'belongs to a VMsToHosts rule, and every such rule needs it: MustRunOn, ShouldRunOn, MustNotRunOn or ShouldNotRunOn',
    fieldPath: '.relation',
  },
  {
    rule: "!(self.type == 'VMsToHosts' && has(self.enforcement))",
    message: 'does not belong to a VMsToHosts rule: its relation says whether it must or should be kept',
    fieldPath: '.enforcement',
  },
).meta({ description: 'Which VMs run together, apart, or on which hosts.' });

const RuleGroupStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    memberCount: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'How many VMs the rule is about now. Absent: not counted yet.' }),
    members: z.array(z.string().max(253)).max(MAX_MEMBERS).optional().meta({
      description: 'Names of these VMs, sorted. Absent: none, or too many.',
      'x-kubernetes-list-type': 'atomic',
    }),
    hosts: HostNames.optional().meta({
      description: 'Hosts of a VMsToHosts rule that exist, sorted. Absent: none, or a rule of another type.',
      'x-kubernetes-list-type': 'atomic',
    }),
    violations: z
      .array(
        z.object({
          virtualMachine: z.string().max(253).meta({ description: 'The VM.' }),
          host: z.string().max(253).meta({ description: 'Where it is, against the rule.' }),
          message: z.string().max(1024).meta({ description: 'What is wrong with that.' }),
          remedy: z.string().max(1024).optional().meta({
            description: 'What is done about it, or why nothing can be. Absent: the rule has no effect.',
          }),
        }),
      )
      .max(MAX_LISTED)
      .optional()
      .meta({
        description: 'VMs that are where the rule does not want them, by name; at most 32. Absent: none.',
        'x-kubernetes-list-type': 'atomic',
      }),
    conflicts: z
      .array(
        z.object({
          ruleGroup: z.string().max(253).meta({ description: 'The other RuleGroup (same namespace).' }),
          message: z.string().max(1024).meta({ description: 'Why both cannot be kept, and which of them has effect.' }),
        }),
      )
      .max(MAX_LISTED)
      .optional()
      .meta({
        description: 'Other rules that contradict this one, by name; at most 32. Absent: none.',
        'x-kubernetes-list-type': 'atomic',
      }),
    conditions: Conditions,
  })
  .meta({
    description: 'What became of the rule; written by the operator. Default: not seen yet, with Ready Unknown.',
  });

export const RuleGroup = defineKind({
  kind: 'RuleGroup',
  plural: 'rulegroups',
  shortName: 'rg',
  scope: 'Namespaced',
  description:
    'A rule about where VMs of the namespace run: together, apart, or on certain hosts. It holds for every decision of Drover; a rule never stops a VM.',
  example: {
    metadata: { name: 'database-replicas', namespace: 'default' },
    spec: { type: 'Separate', virtualMachines: { selector: { matchLabels: { app: 'database' } } } },
  },
  conditions: {
    Ready: 'The rule has effect. False: it contradicts an older one, or is about too many VMs; the message says which.',
    Satisfied: 'Every VM of the rule that is placed is where the rule wants it.',
  },
  spec: RuleGroupSpec,
  status: RuleGroupStatus,
  initialStatus: NOT_SEEN_YET,
  columns: [
    { name: 'Type', type: 'string', jsonPath: '.spec.type', description: 'Kind of the rule' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].status",
      description: 'Whether it has effect',
    },
    {
      name: 'Satisfied',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Satisfied')].status",
      description: 'Whether all VMs are where it wants them',
    },
    { name: 'VMs', type: 'integer', jsonPath: '.status.memberCount', description: 'VMs that it is about' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].reason",
      description: 'Why it has effect or not',
      priority: 1,
    },
    { name: 'Relation', type: 'string', jsonPath: '.spec.relation', description: 'Of VMs to hosts', priority: 1 },
  ],
});
export type RuleGroup = z.output<typeof RuleGroup.object>;
export type RuleGroupSpec = RuleGroup['spec'];
export type RuleGroupStatus = NonNullable<RuleGroup['status']>;
