import * as z from 'zod';

/** What a host does that is cut off. */
export const HostIsolation = z
  .object({
    response: z
      .enum(['LeavePoweredOn', 'Shutdown', 'PowerOff'])
      .meta({ description: 'What becomes of its VMs when it alone is cut off (HAPolicy.spec.isolationResponse).' }),
    yieldLease: z.boolean().meta({
      description:
        'Whether it gives up its lease on storage once its VMs are off, so that others may start them. It starts none in this boot then, or in this term of it.',
    }),
    peers: z
      .array(
        z.object({
          name: z.string().max(253).meta({ description: 'The host.' }),
          address: z.string().max(64).meta({ description: 'IP address of its agent.' }),
          port: z.int().min(1).max(65535).meta({ description: 'TCP port of its agent.' }),
        }),
      )
      .max(8)
      .meta({
        description: 'Hosts of its Cluster that it asks whether it is cut off from all.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
  })
  .meta({
    description:
      'What the host does when it is cut off, since it cannot be told then; written by the operator, kept by the agent. Absent: its Cluster has no high availability, and VMs run on.',
  });
export type HostIsolation = z.output<typeof HostIsolation>;
