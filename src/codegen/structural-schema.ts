import * as z from 'zod';

/** The part of a JSON schema that a CRD may hold. Source: Kubernetes, "Specifying a structural schema". */
export interface StructuralSchema {
  description?: string;
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  format?: string;
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  default?: unknown;
  'x-kubernetes-int-or-string'?: true;
  'x-kubernetes-list-type'?: 'atomic' | 'map' | 'set';
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: Record<string, unknown>[];
  required?: string[];
  properties?: Record<string, StructuralSchema>;
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema;
}

/** In the order in which a reader wants them; generated files keep it. */
const KEYWORDS = [
  'description',
  'type',
  'format',
  'enum',
  'pattern',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'default',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
  'required',
] as const satisfies readonly (keyof StructuralSchema)[];

type Json = z.core.JSONSchema.BaseSchema;

/**
 * What the API server is told about a zod schema, in the form before defaulting.
 * @throws when the schema holds something that no CRD can say, naming the place.
 */
export function structuralSchemaOf(schema: z.ZodType, place: string): StructuralSchema {
  return structural(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }), place);
}

function structural(json: Json, place: string): StructuralSchema {
  const own = json['x-kubernetes-int-or-string'] === true ? intOrString(json) : plain(json);
  const { properties, items, additionalProperties, ...keywords } = own;
  refuseUnknown(keywords, place);
  const known: StructuralSchema = {};
  for (const key of KEYWORDS) if (keywords[key] !== undefined) Object.assign(known, { [key]: keywords[key] });
  if (properties !== undefined) {
    known.properties = Object.fromEntries(
      Object.entries(properties).map(([name, child]) => [
        name,
        structural(subschema(child, place), `${place}.${name}`),
      ]),
    );
  }
  if (items !== undefined) known.items = structural(subschema(items, place), `${place}[]`);
  if (additionalProperties !== undefined) {
    known.additionalProperties = structural(subschema(additionalProperties, place), `${place}{}`);
  }
  if (known.default !== undefined) known.default = completed(known.default, known);
  return known;
}

/** A default with those of its own fields filled in: the API server judges it by the rules before it does that itself. */
function completed(value: unknown, { properties = {} }: StructuralSchema): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const defaults = Object.entries(properties).flatMap(([name, child]) =>
    child.default === undefined ? [] : [[name, child.default] as const],
  );
  return { ...Object.fromEntries(defaults), ...value };
}

function plain(json: Json): Json {
  if (json.type === 'integer') return integer(json);
  if (json.type !== 'string' || json.format === undefined) return json;
  // The format says it all; zod's expression for it would be what the user reads.
  const { pattern: _, ...rest } = json;
  return rest;
}

/** zod bounds every integer by what a double can hold, which tells the user nothing. */
function integer({ minimum, maximum, ...rest }: Json): Json {
  return {
    ...rest,
    format: 'int64',
    ...(minimum !== Number.MIN_SAFE_INTEGER && { minimum }),
    ...(maximum !== Number.MAX_SAFE_INTEGER && { maximum }),
  };
}

/** A structural schema says "number or text" by the extension alone; the bound of the text keeps rules cheap. */
function intOrString({ anyOf, ...rest }: Json): Json {
  const lengths = (anyOf ?? []).map((branch) => (typeof branch === 'object' ? branch.maxLength : undefined));
  const maxLength = lengths.find((length) => length !== undefined);
  return maxLength === undefined ? rest : { ...rest, maxLength };
}

function subschema(child: z.core.JSONSchema._JSONSchema | z.core.JSONSchema._JSONSchema[], place: string): Json {
  if (typeof child === 'boolean' || Array.isArray(child)) {
    throw new Error(`${place}: holds ${JSON.stringify(child)} where a CRD needs a schema; describe it by a zod type`);
  }
  return child;
}

function refuseUnknown(keywords: Json, place: string): void {
  const allowed = new Set<string>(KEYWORDS);
  const unknown = Object.keys(keywords).filter((key) => keywords[key] !== undefined && !allowed.has(key));
  if (unknown.length > 0) {
    throw new Error(`${place}: a CRD cannot say ${unknown.sort().join(', ')}; use a CEL rule (withRules) instead`);
  }
}
