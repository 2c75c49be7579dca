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
 * The list with `wanted` set, sorted by type. `lastTransitionTime` moves to `now` only when `status` changed. The same list object is
 * returned when nothing changed.
 */
export declare function setCondition(
  conditions: readonly Condition[],
  wanted: ConditionInput,
  now: Date,
): readonly Condition[];
export declare function setConditions(
  conditions: readonly Condition[],
  wanted: readonly ConditionInput[],
  now: Date,
): readonly Condition[];
export declare function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined;
export declare function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean;
export declare function sameCondition(a: Condition, b: Condition): boolean;
