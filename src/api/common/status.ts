import * as z from 'zod';

/** `status.observedGeneration`, the same in every kind. */
export const ObservedGeneration = z
  .int()
  .optional()
  .meta({ description: 'The metadata.generation that this status was computed from. Absent: not seen yet.' });

/** A list of host names in a status: a set that is always written sorted and whole. */
export const HostNames = z.array(z.string().max(253)).max(4096);

/** A size beside its exact figure, for the columns of `kubectl get`, which can only copy text. */
export function ShownSize(ofField: string) {
  return z
    .string()
    .max(16)
    .optional()
    .meta({ description: `${ofField} for people, rounded to three digits: \`1.21Gi\`. Absent: not known.` });
}

/** When conditions changed that nobody has written: a default cannot tell the time. The Gateway API writes the same. */
export const NEVER = '1970-01-01T00:00:00Z';

/**
 * The status that the API server shows of an object which no controller has looked at yet. Without it, programs that go by
 * `Ready` (kstatus, Argo CD) would take an object without conditions for finished.
 */
export const NOT_SEEN_YET = {
  conditions: [
    {
      type: 'Ready',
      status: 'Unknown',
      reason: 'NotSeenYet',
      message: 'no controller has looked at it yet',
      lastTransitionTime: NEVER,
    },
  ],
} as const;
