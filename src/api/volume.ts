import * as z from 'zod';
import { immutable, withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { ObjectName } from './common/names.ts';
import { quantityField } from './common/quantity.ts';
import { NOT_SEEN_YET, ObservedGeneration, ShownSize } from './common/status.ts';

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

/** Size of a Volume. qcow2 and the file systems below it go further, but not all of them. */
export const VolumeSize = quantityField({
  least: '1Mi',
  tooSmall: 'is too small: at least 1Mi; a number without a unit is bytes, so write 20Gi for twenty gibibytes',
  most: '64Ti',
  tooBig: 'is too big: at most 64Ti',
});

const VolumeSpec = withRules(
  z.object({
    datastoreName: immutable(ObjectName, 'cannot be changed: the data lies on that Datastore; make a new Volume').meta({
      description: 'Datastore that holds the data. Cannot be changed.',
    }),
    size: VolumeSize.optional().meta({
      description:
        'Size that the guest sees, in bytes as a quantity. Can only grow. Absent: the size of the image; required for a blank Volume.',
    }),
    provisioning: VolumeProvisioning,
    source: VolumeSource,
  }),
  {
    rule: 'self.source == oldSelf.source',
    message: 'cannot be changed: the data was copied from it; make a new Volume',
    fieldPath: '.source',
  },
  {
    rule: 'self.provisioning == oldSelf.provisioning',
    message: 'cannot be changed: the data is laid out by it; make a new Volume',
    fieldPath: '.provisioning',
  },
  {
    rule: 'has(self.size) || has(self.source.imageName)',
    message: 'is missing: a blank Volume needs a size, as in 20Gi',
    fieldPath: '.size',
  },
  {
    rule: '!has(oldSelf.size) || has(self.size)',
    message: 'cannot be removed once set: a Volume only grows; put the old size back',
    fieldPath: '.size',
  },
  {
    rule: '!has(self.size) || !has(oldSelf.size) || !isQuantity(string(self.size)) || quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0',
    message: 'can only grow, since shrinking would cut off data',
    messageExpression:
      "'can only grow, since shrinking would cut off data: it is ' + string(oldSelf.size) + ', not ' + string(self.size)",
    fieldPath: '.size',
  },
).meta({ description: 'The disk as its owner wants it.' });

const VolumeStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    phase: z.enum(['Pending', 'Provisioning', 'Ready', 'Resizing', 'Failed', 'Deleting', 'Deleted']).optional().meta({
      description:
        'The state in one word. Pending: no data yet. Deleted: the data is gone, the object follows. Absent: Pending.',
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
    capacity: ShownSize('capacityBytes'),
    allocated: ShownSize('allocatedBytes'),
    attachedTo: z.string().optional().meta({ description: 'VirtualMachine that uses the Volume. Absent: none.' }),
    conditions: Conditions,
  })
  .meta({
    description:
      'What became of the Volume; `host` and `attachedTo` are written by the operator, the rest by the agent of that host. Default: not seen yet, with Ready Unknown.',
  });

export const Volume = defineKind({
  kind: 'Volume',
  plural: 'volumes',
  shortName: 'vol',
  scope: 'Namespaced',
  description:
    'A disk that outlives the power cycles of a VM: blank, or a full copy of an Image. Deleting it deletes its data, once no VM uses it.',
  example: {
    metadata: { name: 'data', namespace: 'default' },
    spec: { datastoreName: 'shared', size: '50Gi' },
  },
  conditions: {
    Ready: 'The data is there in the wanted size. While it is being made, the message shows how far it is.',
    InUse: 'Only on a Volume that is being deleted. True: that waits until the VM of the message has let go of it.',
  },
  rules: [
    {
      // The file is named <name>.<uid>.<format> and a file name has at most 255 bytes.
      rule: 'size(self.metadata.name) <= 200',
      message: 'is too long for a Volume: at most 200 characters, since it becomes part of a file name',
      fieldPath: '.metadata.name',
    },
  ],
  spec: VolumeSpec,
  status: VolumeStatus,
  initialStatus: { phase: 'Pending', ...NOT_SEEN_YET },
  selectableFields: ['.status.host'],
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'State in one word' },
    {
      name: 'Capacity',
      type: 'string',
      jsonPath: '.status.capacity',
      description: 'Size that the guest sees',
    },
    { name: 'Allocated', type: 'string', jsonPath: '.status.allocated', description: 'Space taken' },
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
