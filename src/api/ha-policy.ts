import * as z from 'zod';
import { withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { NOT_SEEN_YET, ObservedGeneration } from './common/status.ts';
import { MAX_RESTART_ATTEMPTS } from './recovery.ts';

/** Longest delay of a policy: a day. */
const LONGEST_DELAY_SECONDS = 86_400;
/** Longest memory of resets: a week. */
const LONGEST_WINDOW_SECONDS = 604_800;

/**
 * After how long without a renewal of its lease a host has surely missed one, in seconds: agents renew it every 3 s. The shortest time, and the
 * default, after which a host is a suspect; no silence that is shorter is noticed by anybody.
 */
export const MISSED_RENEWAL_SECONDS = 4;

const HostFault = z
  .object({
    action: z.enum(['None', 'RestoreOnOriginalHost', 'Restart']).default('Restart').meta({
      description:
        'What becomes of the VMs of a host that is dead. Restart (default): they are started on other hosts. RestoreOnOriginalHost: they wait for their host and are started there. None: they stay off until an administrator restarts them.',
    }),
    delaySeconds: z.int().min(0, 'cannot be negative: 0 acts at once').max(LONGEST_DELAY_SECONDS).default(0).meta({
      description:
        'How long a dead host may take to come back before its VMs are started elsewhere, in seconds, counted from the moment that its silence was noticed. Default 0.',
    }),
  })
  .prefault({})
  .meta({ description: 'What is done when a host dies. Default: its VMs are restarted on other hosts at once.' });

const DatastoreFault = z
  .object({
    action: z.enum(['None', 'Restart']).default('None').meta({
      description:
        'What becomes of a VM whose host has lost a datastore of its disks, while another host that could run it sees all of them. None (default): its guest waits for the datastore, and goes on when it is back. Restart: it is stopped on its host, and started on another one as soon as its host has confirmed that it is off.',
    }),
    delaySeconds: z.int().min(0, 'cannot be negative: 0 acts at once').max(LONGEST_DELAY_SECONDS).default(0).meta({
      description:
        'How long a datastore may take to come back before its VMs are moved, in seconds, counted from the moment that the host noticed the loss. Default 0.',
    }),
    allPathsDownSeconds: z
      .int()
      .min(0, 'cannot be negative: 0 waits no longer than after a permanent loss')
      .max(LONGEST_DELAY_SECONDS)
      .default(140)
      .meta({
        description:
          'How much longer that is, in seconds, where the datastore is not known to be gone for good but does not answer (all paths down), as its paths often come back. Default 140.',
      }),
  })
  .prefault({})
  .meta({ description: 'What is done when a host loses a datastore. Default: nothing.' });

const IsolationResponse = z.enum(['LeavePoweredOn', 'Shutdown', 'PowerOff']).default('LeavePoweredOn').meta({
  description:
    'What a host does with its VMs when it alone is cut off: neither the API server nor another host answers it, while it sees on shared storage that another host does reach the API server (which takes the lease keeper on the hosts). LeavePoweredOn (default): they run on. Shutdown: guests are shut down, and powered off after their grace period, 300 s at most. PowerOff: at once. Where fencing.order has StorageLease, the host gives its lease up when all are off, so that they run elsewhere; it serves again when it is back. Hosts that see nobody carry on, and so do all when the API server is down or the whole network.',
});

const VMFault = z
  .object({
    action: z.enum(['None', 'Reboot', 'Restart']).default('None').meta({
      description:
        'What is done about a VM whose guest has failed while its host is well: its kernel has panicked, its watchdog has expired, or its guest tools have fallen silent. None (default): nothing beyond what the VM itself says; a panic counts as a crash, after which spec.runStrategy starts it again, and a watchdog resets its guest. Reboot: it is reset where it is. Restart: it is ended, and started on another host where one can take it.',
    }),
    heartbeatTimeoutSeconds: z
      .int()
      .min(5, 'is too short: one question to the guest tools may take 5 s')
      .max(3600)
      .default(30)
      .meta({
        description:
          'How long guest tools that have been connected may stay silent before the guest counts as hung, in seconds. Default 30.',
      }),
    ioQuietSeconds: z
      .int()
      .min(0, 'cannot be negative: 0 does not look at disks and network')
      .max(3600)
      .default(120)
      .meta({
        description:
          'For how long a guest whose tools are silent must besides have read and written nothing and sent nothing before it counts as hung, in seconds. 0: it is not looked at. Default 120.',
      }),
    minUptimeSeconds: z
      .int()
      .min(0, 'cannot be negative: 0 judges silent guest tools from the start')
      .max(3600)
      .default(120)
      .meta({
        description:
          'How long after a start or a reset silent guest tools are not judged, in seconds. Panics and watchdogs are. Default 120.',
      }),
    maxResets: z.int().min(1, 'is too few: for none at all, write action: None').max(100).default(3).meta({
      description:
        'How often a VM is reset or restarted because of its guest within windowSeconds; after that it is left as it is. Default 3.',
    }),
    windowSeconds: z.int().min(60).max(LONGEST_WINDOW_SECONDS).default(3600).meta({
      description: 'Over how long resets are counted, in seconds. Default 3600.',
    }),
  })
  .prefault({})
  .meta({ description: 'What is done when a guest fails and its host does not. Default: nothing.' });

const FailureDetection = withRules(
  z.object({
    suspectAfterSeconds: z
      .int()
      .min(MISSED_RENEWAL_SECONDS, 'is less than an agent needs to renew its lease (3 s)')
      .max(3600)
      .default(MISSED_RENEWAL_SECONDS)
      .meta({
        description:
          'After how long without a sign of life a host is a suspect, in seconds: it gets no VMs, and is asked directly. Default 4.',
      }),
    deadAfterSeconds: z
      .int()
      .min(6, 'is too short: a host must have missed two renewals of its lease (3 s each)')
      .max(3600)
      .default(8)
      .meta({
        description:
          'After how long without a sign of life on any path a host is taken for dead, and is fenced, in seconds. A host whose device reads that its power is off is dead at once. Default 8.',
      }),
  }),
  {
    rule: 'self.deadAfterSeconds > self.suspectAfterSeconds',
    message: 'must be longer than suspectAfterSeconds: a host is asked directly before it is taken for dead',
    fieldPath: '.deadAfterSeconds',
  },
);

const Fencing = z
  .object({
    order: z
      .array(z.enum(['BMC', 'StorageLease']))
      .max(2)
      .default(['BMC'])
      .meta({
        description:
          'By what a dead host is proven to be off, in the order in which it is tried. BMC: the device in Host.spec.power.bmc cuts the power and confirms it. StorageLease: nothing is cut; the host has not renewed its lease on shared storage for so long that its watchdog must have ended its VMs (32 s at the defaults), as another host saw. A host whose lease is renewed is left alone although it is silent. Empty: only an administrator can confirm it. Default: BMC.',
        'x-kubernetes-list-type': 'set',
      }),
    timeoutSeconds: z
      .int()
      .min(5)
      .max(600)
      .default(30)
      .meta({ description: 'How long one attempt may take until the power is read as off, in seconds. Default 30.' }),
    maxSimultaneousPercent: z
      .int()
      .min(0, 'cannot be negative: 0 allows one host at a time')
      .max(100)
      .default(50)
      .meta({
        description:
          'Of how many hosts of a Cluster, in percent, at least one, the loss at the same time is believed. Are more of them silent, the network is at fault and not the hosts: none is fenced. Default 50.',
      }),
  })
  .prefault({})
  .meta({ description: 'How a host is made sure to be off before its VMs run elsewhere. Default: by its BMC.' });

const Restart = z
  .object({
    maxConcurrentPerHost: z
      .int()
      .min(1)
      .max(1000)
      .default(8)
      .meta({ description: 'How many VMs a host starts at once during a recovery. Default 8.' }),
    maxAttempts: z
      .int()
      .min(1, 'must be at least 1: a VM is given one host at least')
      .max(MAX_RESTART_ATTEMPTS)
      .default(5)
      .meta({
        description:
          'How many hosts are asked to start a VM during one recovery, one after the other, until it waits for new capacity (condition Ready, reason RestartFailed). Default 5.',
      }),
    timeoutSeconds: z.int().min(10, 'is less than a guest may need to start').max(86_400).default(300).meta({
      description:
        'How long a host may take until the VM runs, in seconds; after that it is taken back from the host, and given to another one. Default 300.',
    }),
  })
  .prefault({})
  .meta({ description: 'How VMs are started elsewhere. Default: the defaults below.' });

const HAPolicySpec = z
  .object({
    hostFault: HostFault,
    datastoreFault: DatastoreFault,
    isolationResponse: IsolationResponse,
    vmFault: VMFault,
    failureDetection: FailureDetection.prefault({}).meta({
      description: 'How soon a host counts as dead. Default: after 8 s.',
    }),
    fencing: Fencing,
    restart: Restart,
  })
  .prefault({})
  .meta({ description: 'What high availability does about faults. Default: the defaults below.' });

const HAPolicyStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    clusters: z.array(z.string().max(253)).max(64).optional().meta({
      description: 'Clusters that it is in effect in, by name; at most 64. Absent: none.',
      'x-kubernetes-list-type': 'atomic',
    }),
    conditions: Conditions,
  })
  .meta({ description: 'Where it is in effect; written by the operator. Default: not seen yet, with Ready Unknown.' });

export const HAPolicy = defineKind({
  kind: 'HAPolicy',
  plural: 'hapolicies',
  shortName: 'hap',
  scope: 'Cluster',
  description:
    'What high availability does when a host dies: how soon it counts as dead, how that is proven, and what becomes of its VMs; and what it does about guests that fail. A Cluster names one in spec.ha.policyName.',
  example: { metadata: { name: 'patient' }, spec: { hostFault: { action: 'Restart', delaySeconds: 60 } } },
  conditions: {
    Ready: 'The policy can be carried out. False: the message says what is wrong with it.',
  },
  spec: HAPolicySpec,
  status: HAPolicyStatus,
  initialStatus: NOT_SEEN_YET,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='Ready')].status",
      description: 'Whether it can be carried out',
    },
    {
      name: 'Host Fault',
      type: 'string',
      jsonPath: '.spec.hostFault.action',
      description: 'What a dead host leads to',
    },
    {
      name: 'Delay',
      type: 'integer',
      jsonPath: '.spec.hostFault.delaySeconds',
      description: 'How long a dead host may take to come back, in seconds',
    },
    { name: 'Fencing', type: 'string', jsonPath: '.spec.fencing.order', description: 'How a host is proven to be off' },
    { name: 'Clusters', type: 'string', jsonPath: '.status.clusters', description: 'Clusters that it is in effect in' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation' },
  ],
});
export type HAPolicy = z.output<typeof HAPolicy.object>;
export type HAPolicySpec = HAPolicy['spec'];
