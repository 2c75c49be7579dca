import type { Logger } from 'pino';
import type { AnyInformer, Change, Clock, KubeObject, ObjectKey, SharedInformer } from '../kube/index.ts';
import type { Metrics } from './metrics.ts';
import type { Result } from './result.ts';

/** Which keys of the controller a change of a cached object concerns. */
export interface Source {
  informer: AnyInformer;
  subscribe(enqueue: (key: ObjectKey) => void): () => void;
}

/** Maps changes of an informer to keys; without `keysOf`, the object's own key. */
export declare function source<T extends KubeObject>(
  informer: SharedInformer<T>,
  keysOf?: (change: Change<T>) => readonly ObjectKey[],
): Source;

export interface ReconcileContext {
  /** Aborted when the process or its leadership ends. Hand it to every call. */
  signal: AbortSignal;
  /** Carries controller and key. */
  log: Logger;
  clock: Clock;
}

export interface ControllerOptions {
  /** Lower-case, e.g. `virtualmachine`; label of logs and metrics. */
  name: string;
  /** Keys in work at once. Absent: 4. */
  concurrency?: number;
  sources: readonly Source[];
  reconcile: (key: ObjectKey, context: ReconcileContext) => Promise<Result>;
  log: Logger;
  metrics: Metrics;
  clock?: Clock;
  /** One reconcile is aborted after this. Absent: 2 min. */
  reconcileTimeoutMs?: number;
}

export declare class Controller {
  readonly name: string;
  readonly sources: readonly Source[];
  constructor(options: ControllerOptions);
  /** Ask for a pass from outside the API (a libvirt event, a timer). */
  enqueue(key: ObjectKey): void;
  enqueueAfter(key: ObjectKey, delayMs: number): void;
  /** Works until `stop` is aborted, then lets passes under way end; aborts them with `kill`. */
  run(stop: AbortSignal, kill: AbortSignal): Promise<void>;
}
