import * as z from 'zod';
import { withRules } from './common/cel.ts';
import { Conditions } from './common/condition.ts';
import { defineKind } from './common/kind.ts';
import { ObjectName, RelativePath } from './common/names.ts';
import { NOT_SEEN_YET, ObservedGeneration, ShownSize } from './common/status.ts';

const ImageSpec = withRules(
  z.object({
    datastoreName: ObjectName.meta({ description: 'Datastore that holds the image.' }),
    path: RelativePath.meta({
      description:
        'File below the directory `images` of the Datastore, such as debian-12.qcow2; an administrator puts it there. qcow2 or raw, without a backing file.',
    }),
  }),
  {
    rule: 'self == oldSelf',
    message: 'cannot be changed: Volumes were cloned from what the Image was; make a new one',
  },
).meta({ description: 'Where the image lies.' });

const ImageStatus = z
  .object({
    observedGeneration: ObservedGeneration,
    phase: z
      .enum(['Pending', 'Ready', 'Failed'])
      .optional()
      .meta({ description: 'The state in one word. Pending: not inspected yet. Absent: the same.' }),
    host: z
      .string()
      .optional()
      .meta({ description: 'Host whose agent inspects the image, set by the operator. Absent: not chosen yet.' }),
    path: z
      .string()
      .max(4096)
      .optional()
      .meta({ description: 'Path of the file on every host that sees the Datastore. Absent: not found yet.' }),
    format: z.enum(['qcow2', 'raw']).optional().meta({ description: 'Format of the file. Absent: not inspected yet.' }),
    virtualSizeBytes: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'Size that a guest would see, in bytes. Absent: not inspected yet.' }),
    virtualSize: ShownSize('virtualSizeBytes'),
    conditions: Conditions,
  })
  .meta({
    description:
      'What the image is; `host` is written by the operator, the rest by the agent of that host. Default: not seen yet, with Ready Unknown.',
  });

export const Image = defineKind({
  kind: 'Image',
  plural: 'images',
  shortName: 'img',
  scope: 'Namespaced',
  description: 'A disk image on a Datastore that Volumes are cloned from. Deleting the object leaves the file.',
  example: {
    metadata: { name: 'debian-12', namespace: 'default' },
    spec: { datastoreName: 'shared', path: 'debian-12.qcow2' },
  },
  conditions: { Ready: 'The file was found and is safe to clone from. False: the reason and the message say why not.' },
  spec: ImageSpec,
  status: ImageStatus,
  initialStatus: { phase: 'Pending', ...NOT_SEEN_YET },
  selectableFields: ['.status.host'],
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'State in one word' },
    {
      name: 'Size',
      type: 'string',
      jsonPath: '.status.virtualSize',
      description: 'Size that a guest would see',
    },
    { name: 'Format', type: 'string', jsonPath: '.status.format', description: 'Format of the file' },
    { name: 'Datastore', type: 'string', jsonPath: '.spec.datastoreName', description: 'Where the file lies' },
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
export type Image = z.output<typeof Image.object>;
export type ImageStatus = NonNullable<Image['status']>;
