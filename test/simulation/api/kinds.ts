import type * as z from 'zod';
import { KINDS } from '../../../src/api/kinds.ts';
import { type StructuralSchema, structuralSchemaOf } from '../../../src/codegen/structural-schema.ts';

/** What the simulated API server knows of a kind of Drover's. */
export interface ServedKind {
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  readonly initialStatus: Readonly<Record<string, unknown>> | undefined;
  /** Of the whole object, for server-side apply. */
  readonly schema: StructuralSchema;
}

const METADATA: StructuralSchema = {
  type: 'object',
  properties: {
    finalizers: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    ownerReferences: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['uid'],
      items: { type: 'object' },
    },
  },
};

const SERVED = new Map<string, ServedKind>(
  Object.values(KINDS).map((kind) => [
    kind.plural,
    {
      spec: kind.spec,
      status: kind.status,
      initialStatus: 'initialStatus' in kind ? kind.initialStatus : undefined,
      schema: {
        type: 'object',
        properties: {
          metadata: METADATA,
          spec: structuralSchemaOf(kind.spec, `${kind.kind}.spec`),
          status: structuralSchemaOf(kind.status, `${kind.kind}.status`),
        },
      },
    },
  ]),
);

/** Undefined: a kind of Kubernetes, which is stored as it comes. */
export function servedKind(plural: string): ServedKind | undefined {
  return SERVED.get(plural);
}
