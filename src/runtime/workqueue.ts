import type { BackoffPolicy, Clock } from '../kube/index.ts';

export interface WorkQueueOptions {
  clock: Clock;
  /** Absent: 10 ms doubling to 60 s, a fifth of it random. */
  backoff?: BackoffPolicy;
  random?: () => number;
}

/** Keys waiting for work: each at most once, and never handed out while it is being worked on. */
export declare class WorkQueue {
  constructor(options: WorkQueueOptions);
  /** Due now. A key that is waiting with a delay becomes due now; one in work is handed out again after `finish`. */
  add(key: string): void;
  /** Due after `delayMs`, or earlier if it already is. */
  addAfter(key: string, delayMs: number): void;
  /** Due after this key's backoff, which grows with every call until `forget`. Returns the delay. */
  addWithBackoff(key: string): number;
  /** The key's failures are over: its next backoff starts small. */
  forget(key: string): void;
  failuresOf(key: string): number;
  /** The key due first, waiting for one if need be; undefined once the queue is closed. */
  take(): Promise<string | undefined>;
  /** The work on a key from `take` is over. */
  finish(key: string): void;
  /** Hands out nothing more. Work under way goes on. */
  close(): void;
  /** Keys due, delayed and in work; never more than there are distinct keys. */
  readonly depth: { due: number; delayed: number; inWork: number };
}
