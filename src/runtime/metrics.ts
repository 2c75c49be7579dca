import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { CallRecord } from '../kube/index.ts';
import type { ErrorCode } from './error-table.ts';

/** How one pass of a controller ended. */
export type PassOutcome = 'done' | 'requeued' | ErrorCode;

/** The runtime's metrics in one prom-client registry; rooms add their own to `registry`. */
export interface Metrics {
  readonly registry: Registry;
  /** For `KubeClientOptions.onCall`. */
  readonly onApiCall: (call: CallRecord) => void;
  readonly onPass: (controller: string, outcome: PassOutcome, seconds: number) => void;
  /** Called when the metrics are read, with the depth of the controller's queue. */
  readonly observeQueue: (controller: string, depth: () => Record<string, number>) => void;
  readonly setLeader: (isLeader: boolean) => void;
}

/** From a cached read to a libvirt call that waits for a guest. */
const PASS_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];
const CALL_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const queues = new Map<string, () => Record<string, number>>();
  const passes = new Counter({
    name: 'drover_reconcile_total',
    help: 'Passes of a controller by how they ended: done, requeued, or the code of the error table.',
    labelNames: ['controller', 'outcome'],
    registers,
  });
  const passSeconds = new Histogram({
    name: 'drover_reconcile_seconds',
    help: 'Duration of a pass.',
    labelNames: ['controller'],
    buckets: PASS_SECONDS,
    registers,
  });
  const calls = new Counter({
    name: 'drover_api_calls_total',
    help: 'Calls of the Kubernetes API; code 0 means that no answer came.',
    labelNames: ['verb', 'resource', 'code'],
    registers,
  });
  const callSeconds = new Histogram({
    name: 'drover_api_call_seconds',
    help: 'Duration of calls of the Kubernetes API, watches left out.',
    labelNames: ['verb'],
    buckets: CALL_SECONDS,
    registers,
  });
  const leader = new Gauge({ name: 'drover_leader', help: '1 while this process is the leader.', registers });
  new Gauge({
    name: 'drover_queue_keys',
    help: 'Keys in the queue of a controller: due, delayed, inWork.',
    labelNames: ['controller', 'state'],
    registers,
    collect() {
      for (const [controller, depth] of queues) {
        for (const [state, keys] of Object.entries(depth())) this.set({ controller, state }, keys);
      }
    },
  });
  return {
    registry,
    onApiCall({ verb, resource, code, durationMs }) {
      calls.inc({ verb, resource, code });
      if (verb !== 'watch') callSeconds.observe({ verb }, durationMs / 1000);
    },
    onPass(controller, outcome, seconds) {
      passes.inc({ controller, outcome });
      passSeconds.observe({ controller }, seconds);
    },
    observeQueue: (controller, depth) => void queues.set(controller, depth),
    setLeader: (isLeader) => leader.set(isLeader ? 1 : 0),
  };
}
