/** What a reconcile wants next. Failing is throwing. */
export type Result =
  /** Nothing until the object, or one it depends on, changes. */
  | { requeue: false }
  /** Look again later even if nothing changes; `why` goes to the log. */
  | { requeue: true; afterMs: number; why: string };

export const done: Result = { requeue: false };

export function requeueAfter(afterMs: number, why: string): Result {
  return { requeue: true, afterMs, why };
}

/** Of several wishes the one that is due first; on a tie the first in the list. */
export function soonest(results: readonly Result[]): Result {
  return results.reduce(
    (best, next) => (next.requeue && (!best.requeue || next.afterMs < best.afterMs) ? next : best),
    done,
  );
}
