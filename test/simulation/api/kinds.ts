import type * as z from 'zod';
import { ObjectMeta } from '../../../src/api/common/metadata.ts';
import { KINDS } from '../../../src/api/kinds.ts';
import { type StructuralSchema, structuralSchemaOf } from '../../../src/codegen/structural-schema.ts';
import { isJson } from './field-set.ts';
import { parsesOnce } from './parse-once.ts';

/** What the simulated API server knows of a kind of Drover's. */
export interface ServedKind {
  readonly spec: Pick<z.ZodType, 'safeParse'>;
  readonly status: Pick<z.ZodType, 'safeParse'>;
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
      spec: parsesOnce(kind.spec),
      status: parsesOnce(kind.status),
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

/** Informers parse whole objects, which are made of the parts that the server keeps: these are parsed once for all of them. */
for (const kind of Object.values(KINDS)) {
  const object: z.ZodType = kind.object;
  const parseWhole = object.safeParse.bind(object);
  const { spec, status } = SERVED.get(kind.plural) ?? kind;
  const safeParse: typeof parseWhole = (value) => {
    if (!isJson(value)) return parseWhole(value);
    const metadata = ObjectMeta.safeParse(value['metadata']);
    const parts = {
      spec: spec.safeParse(value['spec']),
      ...(value['status'] !== undefined && { status: status.safeParse(value['status']) }),
    };
    if (!metadata.success || !parts.spec.success || parts.status?.success === false) return parseWhole(value);
    const data = { ...value, metadata: metadata.data, spec: parts.spec.data };
    // Parsed by the same schemas as the whole is made of.
    const whole = parts.status === undefined ? data : { ...data, status: parts.status.data };
    return { success: true, data: whole };
  };
  object.safeParse = safeParse;
}

/** Undefined: a kind of Kubernetes, which is stored as it comes. */
export function servedKind(plural: string): ServedKind | undefined {
  return SERVED.get(plural);
}
