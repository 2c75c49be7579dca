/** The room's public interface: other rooms import from here. */
export * from './apply-if-changed.ts';
export * from './backoff.ts';
export type { Change, IndexFunction } from './cache.ts';
export * from './call.ts';
export type { KubeClientOptions } from './caller.ts';
export * from './client.ts';
export * from './clock.ts';
export * from './config.ts';
export * from './error.ts';
export * from './event-recorder.ts';
export * from './fence.ts';
export * from './informer.ts';
export * from './leader-election.ts';
export * from './lease.ts';
export * from './object.ts';
export * from './token-file.ts';
export * from './watch.ts';
export * from './write-guard.ts';
