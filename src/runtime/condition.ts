import { NEVER } from '../api/common/status.ts';

/** metav1.Condition. `observedGeneration` is the generation of the spec this condition was computed from. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number | undefined;
}

/** A condition as a controller computes it: the transition time follows from the one before. */
export type ConditionInput = Omit<Condition, 'lastTransitionTime'>;

/**
 * The list with `wanted` set, sorted by type; `lastTransitionTime` moves to `now` only when `status` changed. The same
 * list is returned when nothing changed.
 */
export function setConditions(
  conditions: readonly Condition[],
  wanted: readonly ConditionInput[],
  now: Date,
): readonly Condition[] {
  const byType = new Map(conditions.map((condition) => [condition.type, condition]));
  let changed = false;
  for (const input of wanted) {
    const before = byType.get(input.type);
    const after = transition(before, input, now);
    changed ||= after !== before;
    byType.set(input.type, after);
  }
  return changed ? [...byType.values()].sort(byTypeName) : conditions;
}

export function setCondition(
  conditions: readonly Condition[],
  wanted: ConditionInput,
  now: Date,
): readonly Condition[] {
  return setConditions(conditions, [wanted], now);
}

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

/** Says the same, whenever it began. */
export function sameCondition(a: ConditionInput, b: ConditionInput): boolean {
  return (
    a.type === b.type &&
    a.status === b.status &&
    a.reason === b.reason &&
    a.message === b.message &&
    a.observedGeneration === b.observedGeneration
  );
}

function transition(before: Condition | undefined, input: ConditionInput, now: Date): Condition {
  if (before && sameCondition(before, input)) return before;
  // metav1.Time has whole seconds.
  const seconds = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const isOld = before?.status === input.status && before.lastTransitionTime !== NEVER;
  return { ...input, lastTransitionTime: isOld ? before.lastTransitionTime : seconds };
}

function byTypeName(a: Condition, b: Condition): number {
  if (a.type === b.type) return 0;
  return a.type < b.type ? -1 : 1;
}
