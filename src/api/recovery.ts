import * as z from 'zod';

/** The most attempts that a policy may allow, and an object remembers. */
export const MAX_RESTART_ATTEMPTS = 20;

/** A placement that a failover had chosen, and that came to nothing. */
export const FailedStart = z.object({
  host: z.string().max(253).meta({ description: 'Host that was to start it.' }),
  epoch: z.int().min(1).meta({ description: 'Epoch of that placement.' }),
  at: z.string().max(64).meta({ description: 'When it was taken back (RFC 3339).' }),
  reason: z.string().max(64).meta({
    description:
      'Why, in CamelCase: what the host said (as in its status), StartTimedOut (it did not run in time), or HostDied.',
  }),
  message: z.string().max(1024).meta({ description: 'The same in words.' }),
});
export type FailedStart = z.output<typeof FailedStart>;

/** What was the case when the last attempt had failed: whatever is otherwise is worth another one. */
export const GaveUp = z
  .object({
    at: z.string().max(64).meta({ description: 'When (RFC 3339).' }),
    generation: z.int().min(0).meta({ description: 'metadata.generation of the VirtualMachine then.' }),
    restartedAt: z.string().max(64).meta({ description: 'Its restart annotation then. Empty: none.' }),
    hosts: z.array(z.string().max(253)).max(1000).default([]).meta({
      description:
        'Hosts that could have taken it then, and still can, by name. A host that can and is not among them is new capacity. Default: none.',
      'x-kubernetes-list-type': 'atomic',
    }),
  })
  .meta({
    description:
      'All attempts have failed. It is tried again when the spec changes, a restart is asked for, or another host can take it. Absent: it goes on.',
  });
export type GaveUp = z.output<typeof GaveUp>;

/** Why a VM of a host that died does not run yet; in the status of the VirtualMachine. */
export const Recovery = z
  .object({
    from: z.string().max(253).meta({ description: 'Host that died.' }),
    attempts: z.int().min(0).meta({ description: 'Hosts that were asked to start it so far.' }),
    reason: z
      .enum(['Waiting', 'DependencyNotReady', 'NoHostFits', 'Starting', 'TakenBack', 'Pausing', 'RestartFailed'])
      .meta({
        description:
          'Waiting: it is given a host in its turn. DependencyNotReady: a VM that it depends on is not ready. NoHostFits: no host can take it. Starting: a host is starting it. TakenBack: a host failed, and has not confirmed yet that nothing of it is left there. Pausing: the next attempt waits. RestartFailed: all attempts have failed.',
      }),
    message: z.string().max(8192).meta({ description: 'The same in words, and what to do.' }),
    tried: z.array(FailedStart).max(MAX_RESTART_ATTEMPTS).optional().meta({
      description: 'Attempts that failed, the oldest first. Absent: none.',
      'x-kubernetes-list-type': 'atomic',
    }),
  })
  .meta({
    description: 'Why a VM of a host that died does not run yet. Absent: it does, or no host of it has died.',
  });
export type Recovery = z.output<typeof Recovery>;
