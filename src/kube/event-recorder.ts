import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import type { KubeObject } from './object.ts';

export interface EventRecorderOptions {
  client: KubeClient;
  /** Name of the controller, e.g. `drover.dev/operator`. */
  reportingController: string;
  /** E.g. the pod's or host's name. */
  reportingInstance: string;
  clock?: Clock;
  /** Events per second over all objects, with bursts of ten seconds' worth. Absent: 5. */
  ratePerSecond?: number;
  onError?: (error: unknown) => void;
}

export interface EventInput {
  /** What the event is about. */
  regarding: KubeObject;
  /** A second object involved. */
  related?: KubeObject;
  type: 'Normal' | 'Warning';
  /** CamelCase, stable: people filter by it. */
  reason: string;
  /** What the controller did, CamelCase, e.g. `Migrating`. */
  action: string;
  /** One sentence with the numbers; cut at 1 KiB. */
  note: string;
}

export declare class EventRecorder {
  constructor(options: EventRecorderOptions);
  /** Returns at once; repeated events become a series; beyond the rate they are dropped and counted. */
  record(event: EventInput): void;
  readonly droppedTotal: number;
  /** Writes what is pending, bounded by the signal. */
  flush(signal?: AbortSignal): Promise<void>;
}
