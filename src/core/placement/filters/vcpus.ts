import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** A VM can have at most as many vCPUs as the host has hardware threads. Source: vSphere, "Virtual CPU limitations". */
export const vcpus: Filter = (request) => (host) =>
  request.vcpus <= host.threads
    ? undefined
    : obstacle('TooFewCPUs', { threads: host.threads, vcpus: request.vcpus }, say);

const say = ({ threads, vcpus: wanted }: { threads: number; vcpus: number }) =>
  `it has ${threads} hardware threads, the VM has ${wanted} vCPUs`;
