import * as z from 'zod';

/** One entry of `metadata.ownerReferences`. */
export const OwnerReference = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().optional(),
  blockOwnerDeletion: z.boolean().optional(),
});
export type OwnerReference = z.output<typeof OwnerReference>;

/** One entry of `metadata.managedFields`: kept as the API server wrote it, only `src/kube` reads it. */
const ManagedFields = z.looseObject({ manager: z.string().optional() });

/** The part of `metadata` (metav1.ObjectMeta) that Drover reads. */
export const ObjectMeta = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string().default(''),
  resourceVersion: z.string().default(''),
  generation: z.int().default(0),
  creationTimestamp: z.string().default(''),
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.number().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  finalizers: z.array(z.string()).default([]),
  ownerReferences: z.array(OwnerReference).default([]),
  managedFields: z.array(ManagedFields).optional(),
});
export type ObjectMeta = z.output<typeof ObjectMeta>;
