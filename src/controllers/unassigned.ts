import type { Condition } from '../api/common/condition.ts';
import { setConditions } from '../runtime/index.ts';

/** What a Volume or Image says while no host can work on it; with a host, its agent speaks instead. */
export interface UnassignedStatus {
  readonly phase: 'Pending';
  readonly conditions: readonly Condition[];
}

export function unassignedStatus(
  {
    metadata,
    status,
  }: {
    readonly metadata: { readonly generation: number };
    readonly status?: { readonly conditions: readonly Condition[] } | undefined;
  },
  message: string,
  now: Date,
): UnassignedStatus {
  const ready = (status?.conditions ?? []).filter(({ type }) => type === 'Ready');
  const observedGeneration = metadata.generation;
  const waiting = {
    type: 'Ready',
    status: 'False',
    reason: 'DatastoreNotVisible',
    message,
    observedGeneration,
  } as const;
  return { phase: 'Pending', conditions: [...setConditions(ready, [waiting], now)] };
}

export function datastoresNotVisible(datastores: readonly string[]): string {
  const names = datastores.join(' ');
  return `no ready host sees ${datastores.length === 1 ? `Datastore ${names}` : `all of the Datastores ${names}`}; look at kubectl get dst ${names} -o wide`;
}
