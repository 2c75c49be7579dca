import type * as z from 'zod';

/**
 * One rule of the API server's validation (CEL), for what a schema cannot say.
 * Source: Kubernetes, "CustomResourceDefinition validation rules".
 */
export interface CelRule {
  /** CEL expression over `self` (and `oldSelf` in a transition rule); true means valid. */
  readonly rule: string;
  /** What is wrong and how to mend it, shown to the user word for word after the field's path. */
  readonly message: string;
  /** CEL expression that makes the message where it needs the values. Absent: `message` is shown. */
  readonly messageExpression?: string;
  /** The field that the error names, relative to the schema (`.spec.size`). Absent: the schema's own path. */
  readonly fieldPath?: string;
  /** Lets a transition rule see fields that were absent before. Absent: false. */
  readonly optionalOldSelf?: boolean;
}

/** Adds rules to a schema; they reach the CRD as `x-kubernetes-validations`. */
export function withRules<T extends z.ZodType>(schema: T, ...rules: CelRule[]): T {
  const earlier = schema.meta()?.['x-kubernetes-validations'];
  return schema.meta({ 'x-kubernetes-validations': [...(Array.isArray(earlier) ? earlier : []), ...rules] });
}

/** Makes a field unchangeable once it is set. */
export function immutable<T extends z.ZodType>(schema: T, message: string): T {
  return withRules(schema, { rule: 'self == oldSelf', message });
}

/**
 * Demands a pattern, and says in words what it is: the API server's answer to a schema's own `pattern` shows nothing but
 * the expression. The pattern must mean the same in JavaScript and in RE2, and hold no single quote.
 */
export function matching(schema: z.ZodString, pattern: RegExp, message: string): z.ZodString {
  const checked = schema.refine((text) => pattern.test(text), message);
  return withRules(checked, { rule: `self.matches(r'${pattern.source}')`, message });
}
