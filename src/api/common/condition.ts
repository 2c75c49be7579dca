import * as z from 'zod';

/** metav1.Condition: one observation about an object, with the generation it was made for. */
export const Condition = z
  .object({
    type: z.string().max(316).meta({ description: 'Name of the condition, CamelCase.' }),
    status: z
      .enum(['True', 'False', 'Unknown'])
      .meta({ description: 'Whether the condition holds; Unknown when it cannot be told.' }),
    reason: z.string().min(1).max(1024).meta({ description: 'The one cause, CamelCase, for programs.' }),
    message: z
      .string()
      .max(32768)
      .default('')
      .meta({ description: 'The cause in words, with the numbers, for people.' }),
    lastTransitionTime: z.iso
      .datetime({ offset: true })
      .meta({ description: 'When `status` last changed (RFC 3339).' }),
    observedGeneration: z
      .int()
      .min(0)
      .optional()
      .meta({ description: 'The `metadata.generation` that this condition was computed from. Absent: unknown.' }),
  })
  .meta({ description: 'One observation about the object (metav1.Condition).' });
export type Condition = z.output<typeof Condition>;

/** `status.conditions`: a map by type, so that several writers can each own theirs. */
export const Conditions = z
  .array(Condition)
  .max(32)
  .default([])
  .meta({
    description: 'What is known of the object, one entry per type.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  });
