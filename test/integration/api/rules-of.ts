import { objectSchemaOf } from '../../../src/codegen/crd.ts';
import { fieldsOf } from '../../../src/codegen/fields.ts';
import type { StructuralSchema } from '../../../src/codegen/structural-schema.ts';
import { ALL_KINDS } from './verdict.ts';

/** One rule in one place of one kind. */
export interface PlacedRule {
  readonly kind: string;
  /** Where the rule stands: `spec.disks[].name`; empty for the whole object. */
  readonly at: string;
  readonly message: string;
  /** Whether it looks at what the object was before. */
  readonly transition: boolean;
  /** Whether it stands at a value and not at an object, so that it can be broken by that value alone. */
  readonly scalar: boolean;
}

/** Every CEL rule of every kind. */
export function placedRules(): PlacedRule[] {
  return ALL_KINDS.flatMap((kind) => {
    const object = objectSchemaOf(kind);
    const fields = fieldsOf(object).flatMap(({ path, schema }) => [
      ...rulesAt(kind.kind, path, schema),
      ...rulesAt(kind.kind, `${path}[]`, schema.items),
      ...rulesAt(kind.kind, `${path}{}`, schema.additionalProperties),
    ]);
    return [...rulesAt(kind.kind, '', object), ...fields];
  });
}

function rulesAt(kind: string, at: string, schema: StructuralSchema | undefined): PlacedRule[] {
  return (schema?.['x-kubernetes-validations'] ?? []).map(({ rule, message }) => ({
    kind,
    at,
    message: String(message),
    transition: String(rule).includes('oldSelf'),
    scalar: schema?.type !== 'object',
  }));
}
