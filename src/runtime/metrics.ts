import type { Registry } from 'prom-client';
import type { CallRecord } from '../kube/index.ts';

/** The runtime's metrics in one prom-client registry; rooms add their own to `registry`. */
export interface Metrics {
  readonly registry: Registry;
  readonly onApiCall: (call: CallRecord) => void;
}

export declare function createMetrics(): Metrics;
