import * as z from 'zod';
import { matching, withRules } from './cel.ts';

const LabelValue = matching(
  z.string().max(63),
  /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/,
  'is no label value: use letters, digits, "-", "_" and ".", with a letter or digit first and last',
);

/** metav1.LabelSelector: all of `matchLabels` and all of `matchExpressions` must hold. */
export const LabelSelector = z.object({
  matchLabels: z
    .record(z.string().max(317), LabelValue)
    .optional()
    .meta({ description: 'Labels that must have exactly these values. Absent: no demand.', maxProperties: 64 }),
  matchExpressions: z
    .array(
      withRules(
        z.object({
          key: z.string().min(1).max(317).meta({ description: 'The label.' }),
          operator: z
            .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
            .meta({ description: 'How the label is compared with `values`.' }),
          values: z.array(LabelValue).max(64).optional().meta({
            description: 'For In and NotIn: the values. Must be absent for Exists and DoesNotExist.',
            'x-kubernetes-list-type': 'atomic',
          }),
        }),
        {
          rule: "self.operator in ['In', 'NotIn'] == (has(self.values) && size(self.values) > 0)",
          message: 'In and NotIn need at least one value; Exists and DoesNotExist take none',
        },
      ),
    )
    .max(32)
    .optional()
    .meta({ description: 'Demands on labels. Absent: none.', 'x-kubernetes-list-type': 'atomic' }),
});
export type LabelSelector = z.output<typeof LabelSelector>;

/** Whether the labels meet the selector. An absent selector matches everything, as in Kubernetes an empty one does. */
export function matchesSelector(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  const exact = Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => own(labels, key) === value);
  return exact && (selector?.matchExpressions ?? []).every((expression) => matchesExpression(expression, labels));
}

/** Labels come from users, who may ask for one that every JavaScript object inherits. */
function own(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

function matchesExpression(
  { key, operator, values = [] }: Expression,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = own(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
