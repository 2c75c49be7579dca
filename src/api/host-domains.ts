import * as z from 'zod';

/** Domains of a host that are not Drover's. */
export const ForeignDomains = z
  .array(
    z.object({
      uuid: z.string().max(64).meta({ description: 'UUID of the domain.' }),
      name: z.string().max(256).meta({ description: 'Name of the domain.' }),
      state: z.string().max(32).meta({ description: 'State of the domain as virsh names it.' }),
    }),
  )
  .max(256)
  .default([])
  .meta({
    description: 'Domains that Drover did not make; they are never touched. At most 256 are listed.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['uuid'],
  });

/** Domains of Drover on a host that no intent speaks of. */
export const StrayDomains = z
  .array(
    z.object({
      uuid: z.string().max(64).meta({ description: 'UUID of the domain.' }),
      virtualMachine: z.string().max(320).meta({ description: 'namespace/name that its metadata holds.' }),
      epoch: z.int().min(0).meta({ description: 'Epoch that its metadata holds.' }),
      message: z.string().max(1024).meta({ description: 'Why it is left running.' }),
    }),
  )
  .max(256)
  .default([])
  .meta({
    description:
      'Domains of Drover that run without an intent, such as after etcd was restored from a backup. They are left running until an intent says otherwise.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['uuid'],
  });

/** VMs that move to a host. */
export const IncomingMigrations = z
  .array(
    z.object({
      uid: z.string().max(64).meta({ description: 'uid of the Migration.' }),
      virtualMachine: z.string().max(320).meta({ description: 'namespace/name of the VM.' }),
      ready: z.boolean().meta({ description: 'Whether everything that the VM needs is there.' }),
      reason: z.string().max(64).optional().meta({ description: 'Why not, in CamelCase. Absent: it is ready.' }),
      message: z.string().max(1024).optional().meta({ description: 'The same in words. Absent: it is ready.' }),
      domain: z.enum(['Absent', 'Receiving', 'Running']).meta({
        description: 'The copy of the VM here. Receiving: its memory is on its way, and it does not run.',
      }),
      answers: z.string().max(64).optional().meta({
        description:
          'The time of the break that the source could not tell the end of, or of the end of the source: the domain was looked for after it. Absent: nobody has asked.',
      }),
    }),
  )
  .max(64)
  .default([])
  .meta({
    description: 'VMs that move to this host, and whether it is ready for them. Default: none.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['uid'],
  });
