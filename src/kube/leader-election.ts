import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import type { ObjectRef } from './object.ts';

export interface LeaderElectionOptions {
  client: KubeClient;
  lease: Required<ObjectRef>;
  /** Unique per process. In a pod: `<pod name>_<pod uid>`, which the admission policy of the fence compares. */
  identity: string;
  /** How long others wait after the last renewal they saw. Absent: 15 s. */
  leaseDurationMs?: number;
  /** The leader stops itself when it could not renew for this long; < leaseDurationMs. Absent: 10 s. */
  renewDeadlineMs?: number;
  /** Pause between tries; < renewDeadlineMs. Absent: 2 s. */
  retryPeriodMs?: number;
  clock?: Clock;
  random?: () => number;
  onError?: (error: unknown) => void;
  /** Told the holder's identity whenever it changes. */
  onNewLeader?: (identity: string) => void;
}

/** A term of leadership. Hand it to `KubeClient.fencedBy` so that no write leaves after it ended. */
export interface Leadership {
  readonly identity: string;
  /** `leaseTransitions` of the lease: grows with every change of holder. */
  readonly term: number;
  /** Aborted when leadership is lost or given up. */
  readonly signal: AbortSignal;
  /** Milliseconds this process may still act as leader by its own monotonic clock; 0 when lost. */
  remainingMs(): number;
}

export declare class LeaderElector {
  constructor(options: LeaderElectionOptions);
  /**
   * Waits for the lease, runs `lead`, and returns when it is done or leadership is lost (`lost`), or the signal is
   * aborted. The lease is released when `lead` ended in time.
   */
  run(lead: (leadership: Leadership) => Promise<void>, signal: AbortSignal): Promise<'lost' | 'released'>;
}
