import * as z from 'zod';
import { type CelRule, withRules } from './cel.ts';
import { ObjectMeta } from './metadata.ts';
import { API_VERSION, GROUP, VERSION } from './names.ts';

/** A column of `kubectl get`. Source: apiextensions.k8s.io/v1 CustomResourceColumnDefinition. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date' | 'boolean' | 'number';
  readonly jsonPath: string;
  readonly description: string;
  /** 0 is always shown; more than 0 only with `-o wide`. Absent: 0. */
  readonly priority?: number;
}

/** Where a kind is served, and what the code generator needs to know of it. */
export interface KindOptions<Spec extends z.ZodType, Status extends z.ZodType> {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly scope: 'Namespaced' | 'Cluster';
  /** One paragraph: what the kind stands for and who writes it. */
  readonly description: string;
  readonly spec: Spec;
  readonly status: Status;
  /** Default of the status in the CRD, for what users make and wait for. Absent: none, a status comes with its writer. */
  readonly initialStatus?: Readonly<Record<string, unknown>>;
  readonly columns: readonly PrinterColumn[];
  /** What each type of `status.conditions` says, by type. */
  readonly conditions: Readonly<Record<string, string>>;
  /** A short object for the reference page; it must be valid. */
  readonly example: { readonly metadata: Readonly<Record<string, unknown>>; readonly spec: z.input<Spec> };
  /** Fields of the spec or status that lists and watches can select by. */
  readonly selectableFields?: readonly string[];
  /** Rules over the whole object (they may speak of `self.metadata.name`). */
  readonly rules?: readonly CelRule[];
}

/** Describes one kind; the single source of its types, its CRD and its reference page. */
export function defineKind<Spec extends z.ZodType, Status extends z.ZodType>(options: KindOptions<Spec, Status>) {
  const object = z.object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(options.kind),
    metadata: ObjectMeta,
    spec: options.spec,
    status: options.status.optional(),
  });
  const definition = {
    ...options,
    group: GROUP,
    version: VERSION,
    singular: options.kind.toLowerCase(),
    namespaced: options.scope === 'Namespaced',
    object: options.rules === undefined ? object : withRules(object, ...options.rules),
  };
  // `objectType` is never present at run time: it lets callers infer the type of a kind's objects.
  return definition as typeof definition & { readonly objectType?: z.output<typeof object> };
}
