import * as z from 'zod';
import { withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { CpuLevelName, MAX_CPU_FEATURES } from './common/cpu-levels.ts';
import { defineKind } from './common/kind.ts';
import { ObjectName } from './common/names.ts';
import { quantityField } from './common/quantity.ts';
import { LabelSelector } from './common/selector.ts';
import { NOT_SEEN_YET, ObservedGeneration } from './common/status.ts';

/** Most hosts and VMs that a status lists. */
export const MAX_LISTED = 64;

const Imc = withRules(
  z.object({
    mode: z.enum(['Disabled', 'Auto', 'Baseline']).default('Disabled').meta({
      description:
        'Disabled (default): a VM sees the CPU of the host that starts it. Auto: the newest level that all hosts can present. Baseline: the level in `baseline`.',
    }),
    baseline: CpuLevelName.optional().meta({
      description:
        "Level (libvirt's CPU model) that all VMs see; names with IBRS or IBPB, and all newer ones, have the features by which guests mitigate Spectre. Hosts that cannot present it get no VMs. Absent: the mode is not Baseline.",
    }),
  }),
  {
    rule: "(self.mode == 'Baseline') == has(self.baseline)",
    message: 'belongs to mode Baseline, which needs it: a level, as in Haswell-noTSX-IBRS',
    fieldPath: '.baseline',
  },
);

/** Most failures of hosts that room can be kept for. Source: vSphere's limit. */
export const MAX_HOST_FAILURES = 31;

const AdmissionControl = withRules(
  z.object({
    type: z.enum(['HostFailures', 'Percentage', 'FailoverHosts', 'Disabled']).default('HostFailures').meta({
      description:
        'HostFailures (default): the failure of `hostFailures.count` hosts. Percentage: the failure of hosts that make up `percentage` of the Cluster. FailoverHosts: the hosts in `failoverHosts` are kept empty. Disabled: nothing is kept.',
    }),
    hostFailures: z
      .object({
        count: z.int().min(1).max(MAX_HOST_FAILURES).default(1).meta({
          description:
            'Hosts that may fail one after the other, the largest first, or any other as the last. Default 1.',
        }),
      })
      .optional()
      .meta({ description: 'What type HostFailures keeps. Absent: another type, or one host.' }),
    percentage: z
      .object({
        cpu: z.int().min(0).max(50).default(25).meta({
          description: 'Percent of the cores of all usable hosts. 0: cores are not looked at. Default 25.',
        }),
        memory: z.int().min(0).max(50).default(25).meta({
          description: 'Percent of the memory of all usable hosts. 0: memory is not looked at. Default 25.',
        }),
      })
      .optional()
      .meta({
        description:
          'What type Percentage keeps: whole hosts, the largest first, while they are no more than this part; of any next one, the most urgent VMs up to the rest. Absent: another type.',
      }),
    failoverHosts: z
      .object({
        hosts: z.array(ObjectName).min(1).max(MAX_LISTED).meta({
          description: 'Hosts of the Cluster, by name; 1 to 64.',
          'x-kubernetes-list-type': 'set',
        }),
        evacuate: z.boolean().default(false).meta({
          description:
            'Whether VMs that a failover has brought there are moved to the other hosts once these have room. Default false: they stay until somebody moves them.',
        }),
      })
      .optional()
      .meta({
        description:
          'What type FailoverHosts keeps: these hosts take VMs of dead hosts, before all others, and no other VM. Absent: another type.',
      }),
  }),
  {
    rule: "self.type == 'HostFailures' || !has(self.hostFailures)",
    message: 'belongs to type HostFailures: leave it out, or set the type',
    fieldPath: '.hostFailures',
  },
  {
    rule: "(self.type == 'Percentage') == has(self.percentage)",
    message: 'belongs to type Percentage, which needs it: cpu and memory in percent, or {}',
    fieldPath: '.percentage',
  },
  {
    rule: "(self.type == 'FailoverHosts') == has(self.failoverHosts)",
    message: 'belongs to type FailoverHosts, which needs it: the names of hosts',
    fieldPath: '.failoverHosts',
  },
);

const LiveMigration = z
  .object({
    maxPerCluster: z.int().min(1).max(1000).default(5).meta({
      description: 'How many VMs migrate at once. Default 5.',
    }),
    maxPerHost: z.int().min(1).max(100).default(2).meta({
      description: 'In how many migrations a host takes part at once, as source or target. Default 2.',
    }),
    bandwidth: quantityField({ least: '1Mi', tooSmall: 'is too little: libvirt counts in MiB/s, so at least 1Mi' })
      .optional()
      .meta({
        description:
          'Most that a host sends for all its migrations together, in bytes per second as a quantity (`1Gi`). Absent: no limit.',
      }),
    maxDowntimeMilliseconds: z.int().min(1).max(60_000).default(500).meta({
      description:
        'How long a guest may stand still at the end, in milliseconds. A migration begins with 100 and is allowed more, up to this, when it stalls. Default 500.',
    }),
    autoConverge: z.boolean().default(true).meta({
      description: 'Whether a guest that writes memory faster than it is copied is slowed down. Default true.',
    }),
    postCopy: z.enum(['Never', 'AfterStall']).default('Never').meta({
      description:
        'AfterStall: a migration that nothing else brings to its end lets the guest run at the target and fetch its memory from there. If the link or the source fails then, the guest is lost. Default Never.',
    }),
    transport: z.enum(['TLS', 'TCP']).default('TLS').meta({
      description:
        'How hosts speak with each other. TCP: in the clear and without proof of who they are; only for a network of their own. Default TLS.',
    }),
    progressTimeoutSeconds: z.int().min(1).max(86_400).default(150).meta({
      description:
        'After how long without progress a migration that may not become slower or longer is given up, in seconds. Default 150.',
    }),
    completionTimeoutSecondsPerGiB: z.int().min(1).max(86_400).default(150).meta({
      description:
        'After how long a migration goes on by post-copy where that is allowed, and else is given up, in seconds for each GiB of memory. Default 150.',
    }),
  })
  .prefault({})
  .meta({
    description: 'How VMs of the Cluster are moved between its hosts while they run. Default: the defaults below.',
  });

const ClusterSpec = z
  .object({
    hostSelector: LabelSelector.optional().meta({
      description:
        'Hosts that belong to the Cluster, by label. A Host belongs to one Cluster: where two select it, the older keeps it. Absent: every Host.',
    }),
    imc: Imc.prefault({}).meta({
      description:
        'CPU baseline (vSphere: EVC): one CPU for all VMs, so that each can run on every host. A higher level reaches a VM at its next power cycle (condition RestartRequired); a lower one is not taken while VMs are placed that have more. Default: disabled.',
    }),
    ha: z
      .object({
        enabled: z.boolean().default(false).meta({
          description:
            'Whether hosts are watched, fenced when they die, and their VMs run elsewhere. Default false: VMs of a dead host wait for it.',
        }),
        policyName: ObjectName.optional().meta({
          description: 'HAPolicy that says what is done. Absent: what an HAPolicy without any field says.',
        }),
        admissionControl: AdmissionControl.prefault({}).meta({
          description:
            'Room that is kept so that VMs of dead hosts can run elsewhere: a VM that would take it stays Pending, and a host that could not be emptied without it is not. A failover itself may use it. In effect while `enabled` is true and the HAPolicy restarts VMs. Default: the failure of one host.',
        }),
      })
      .prefault({})
      .meta({ description: 'High availability. Default: disabled.' }),
    migration: LiveMigration,
  })
  .meta({ description: 'Which hosts belong together, and what they share.' });

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
    baseline: z
      .object({
        level: z
          .string()
          .max(64)
          .meta({ description: "Level in effect: libvirt's CPU model that VMs are started with." }),
        blockedHosts: z
          .array(
            z.object({
              host: z.string().max(253).meta({ description: 'The Host.' }),
              best: z
                .string()
                .max(64)
                .optional()
                .meta({ description: 'Newest level that it can present. Absent: none.' }),
              missingFeatures: z.array(z.string().max(64)).max(MAX_CPU_FEATURES).optional().meta({
                description:
                  "CPU features (libvirt's names) of the level that it lacks, sorted. Absent: its libvirt does not say.",
                'x-kubernetes-list-type': 'atomic',
              }),
            }),
          )
          .max(MAX_LISTED)
          .optional()
          .meta({
            description: 'Hosts that cannot present the level and get no VMs, by name; at most 64. Absent: none.',
            'x-kubernetes-list-type': 'atomic',
          }),
        refused: z
          .object({
            level: z.string().max(64).meta({ description: 'The level that is not taken.' }),
            virtualMachines: z.array(z.string().max(320)).max(MAX_LISTED).meta({
              description: 'VMs (namespace/name) that have more, by name; at most 64. Once they are off, it is taken.',
              'x-kubernetes-list-type': 'atomic',
            }),
          })
          .optional()
          .meta({ description: 'A lower level that waits. Absent: none.' }),
      })
      .optional()
      .meta({ description: 'CPU baseline in effect. Absent: none.' }),
    ha: z
      .object({
        protectedVirtualMachines: z
          .int()
          .min(0)
          .meta({ description: 'VMs that would run elsewhere if their host died (condition HAProtected).' }),
        unprotectedVirtualMachines: z.int().min(0).meta({ description: 'VMs that would not.' }),
        fencingReadyHosts: z
          .int()
          .min(0)
          .meta({ description: 'Hosts that can be proven to be off (condition FencingReady).' }),
        failuresTolerated: z.int().min(0).max(MAX_HOST_FAILURES).optional().meta({
          description:
            'Hosts that may fail now, one after the other, the largest first, or any other as the last, so that all VMs that can run elsewhere still find room. More than 8 are not looked for, unless admission control asks for more. Absent: the HAPolicy does not restart VMs.',
        }),
        reserve: z
          .object({
            cpuCores: z.number().min(0).meta({ description: 'Cores that are kept free for failovers.' }),
            memoryBytes: z.int().min(0).meta({ description: 'Memory that is kept free for failovers, in bytes.' }),
            freeCores: z.number().min(0).meta({ description: 'Cores of usable hosts that no VM has reserved.' }),
            freeMemoryBytes: z
              .int()
              .min(0)
              .meta({ description: 'Memory of usable hosts that no VM has reserved, in bytes.' }),
          })
          .optional()
          .meta({
            description:
              'The reserve of admission control in figures, beside what is free. They are sums, and for people: what is asked of each VM is whether all others would still find hosts. Absent: nothing is kept.',
          }),
      })
      .optional()
      .meta({ description: 'High availability. Absent: disabled.' }),
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
    BaselineReady:
      'The CPU baseline is what spec.imc asks for, and every host can present it. False: the message names hosts and VMs.',
    HAReady:
      'Every host can be fenced, and the HAPolicy is there. False: the message names hosts whose VMs would wait for an administrator.',
    FailoverCapacity:
      'The room that spec.ha.admissionControl asks for is there. False: the message names VMs that would find no host, and after the loss of which.',
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
    { name: 'CPU', type: 'string', jsonPath: '.status.baseline.level', description: 'CPU baseline in effect' },
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
export type AdmissionControlSpec = Cluster['spec']['ha']['admissionControl'];
export type LiveMigrationSpec = Cluster['spec']['migration'];
export type ClusterStatus = NonNullable<Cluster['status']>;
