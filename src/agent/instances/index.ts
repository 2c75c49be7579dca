export { BY_DOMAIN_UUID, type InstancesDeps } from './deps.ts';
export { Instances } from './instances.ts';
