export * from './domainFlags.ts';
export * from './domainState.ts';
export * from './domainStats.ts';
export * from './errors.ts';
export * from './events.ts';
export * from './host.ts';
export * from './jobs.ts';
export { nameOf } from './nameOf.ts';
export * from './snapshots.ts';
