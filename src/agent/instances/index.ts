export type { InstancesDeps } from './deps.ts';
export type { DomainEntry } from './domain-table.ts';
export { Instances } from './instances.ts';
export type { StrayDomain } from './leftovers.ts';
