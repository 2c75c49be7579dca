import type { StructuralSchema } from './structural-schema.ts';

/** One field of a schema, at any depth. */
export interface Field {
  /** `disks[].name`; the fields of a list's entries and of a map's values carry `[]` and `{}`. */
  readonly path: string;
  readonly schema: StructuralSchema;
  readonly required: boolean;
}

/** Every field below a schema, parents before children, in the order of the source. */
export function fieldsOf(schema: StructuralSchema, prefix = ''): Field[] {
  const below = (path: string, child: StructuralSchema): Field[] => fieldsOf(child, path);
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    return [{ path, schema: child, required: schema.required?.includes(name) ?? false }, ...below(path, child)];
  });
  return [
    ...own,
    ...(schema.items ? below(`${prefix}[]`, schema.items) : []),
    ...(schema.additionalProperties ? below(`${prefix}{}`, schema.additionalProperties) : []),
  ];
}
