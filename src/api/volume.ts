import * as z from 'zod';
import { immutable, withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { ObjectName } from './common/names.ts';
import { Quantity } from './common/quantity.ts';
import { ObservedGeneration } from './common/status.ts';

export const VolumeProvisioning = z.enum(['Thin', 'ThickLazyZeroed', 'ThickEagerZeroed']).default('Thin').meta({
  description:
    'Thin (default): blocks are taken as they are written. ThickLazyZeroed: space is reserved at once, zeroed at the first write. ThickEagerZeroed: written out at once.',
});

export const VolumeSource = z
  .object({
    imageName: ObjectName.optional().meta({
      description: 'Image (same namespace) that the Volume is a full copy of. Absent: the Volume is blank.',
    }),
  })
  .prefault({})
  .meta({ description: 'What the Volume holds at first. Default: nothing (blank).' });

const VolumeSpec = withRules(
  z.object({
    datastoreName: immutable(ObjectName, 'datastoreName').meta({
      ...immutable(ObjectName, 'datastoreName').meta(),
      description: 'Datastore that holds the data. Cannot be changed.',
    }),
    size: Quantity.optional().meta({
      ...Quantity.meta(),
      description:
        'Size that the guest sees, in bytes as a quantity. Can only grow. Absent: the size of the image; required for a blank Volume.',
    }),
    provisioning: VolumeProvisioning,
    source: VolumeSource,
  }),
  { rule: 'self.source == oldSelf.source', message: 'the source of a Volume cannot be changed; make a new Volume' },
  {
    rule: 'self.provisioning == oldSelf.provisioning',
    message: 'the provisioning of a Volume cannot be changed; make a new Volume',
  },
  { rule: 'has(self.size) || has(self.source.imageName)', message: 'a blank Volume needs a size' },
  { rule: '!has(oldSelf.size) || has(self.size)', message: 'size cannot be removed: a Volume only grows' },
  {
    rule: '!has(self.size) || !has(oldSelf.size) || quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0',
    message: 'size can only grow: shrinking would cut off data',
  },
);

const VolumeStatus = z.object({
  observedGeneration: ObservedGeneration,
  phase: z
    .enum(['Pending', 'Provisioning', 'Ready', 'Resizing', 'Failed', 'Deleting', 'Deleted'])
    .optional()
    .meta({
      description: 'The state in one word. Deleted: the data is gone, the object follows. Absent: not seen yet.',
    }),
  host: z
    .string()
    .optional()
    .meta({ description: 'Host whose agent works on the Volume, set by the operator. Absent: not chosen yet.' }),
  path: z
    .string()
    .max(4096)
    .optional()
    .meta({ description: 'Path of the data on every host that sees the Datastore. Absent: not made yet.' }),
  format: z.enum(['qcow2', 'raw']).optional().meta({ description: 'Format of the data. Absent: not made yet.' }),
  capacityBytes: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Size that the guest sees, in bytes. Absent: not made yet.' }),
  allocatedBytes: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'Space taken on the Datastore when last measured, in bytes. Absent: not made yet.' }),
  attachedTo: z.string().optional().meta({ description: 'VirtualMachine that uses the Volume. Absent: none.' }),
  conditions: Conditions,
});

export const Volume = defineKind({
  kind: 'Volume',
  plural: 'volumes',
  shortName: 'vol',
  scope: 'Namespaced',
  description:
    'A disk that outlives the power cycles of a VM: blank, or a full copy of an Image. Deleting it deletes its data, once no VM uses it.',
  spec: VolumeSpec,
  status: VolumeStatus,
  selectableFields: ['.status.host'],
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'State in one word' },
    {
      name: 'Capacity',
      type: 'integer',
      jsonPath: '.status.capacityBytes',
      description: 'Size that the guest sees, in bytes',
    },
    { name: 'Allocated', type: 'integer', jsonPath: '.status.allocatedBytes', description: 'Space taken, in bytes' },
    { name: 'Datastore', type: 'string', jsonPath: '.spec.datastoreName', description: 'Where the data lies' },
    { name: 'VM', type: 'string', jsonPath: '.status.attachedTo', description: 'VM that uses it' },
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
export type Volume = z.output<typeof Volume.object>;
export type VolumeSpec = Volume['spec'];
export type VolumeStatus = NonNullable<Volume['status']>;
