/** The room's public interface: other rooms import from here. Clock and backoff live in src/kube, which needs them too. */
export { type BackoffPolicy, backoffDelayMs, type Clock, systemClock, type Timer } from '../kube/index.ts';
export * from './coded-error.ts';
export * from './condition.ts';
export * from './controller.ts';
export * from './error-table.ts';
export * from './log.ts';
export * from './manager.ts';
export * from './metrics.ts';
export * from './result.ts';
export * from './workqueue.ts';
