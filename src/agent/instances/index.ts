export type { InstancesDeps } from './deps.ts';
export { Instances } from './instances.ts';
