import type { Filter } from '../filter.ts';
import { obstacle } from '../obstacle.ts';

/** A VM can have at most as many vCPUs as the host has hardware threads. Source: vSphere, "Virtual CPU limitations". */
export const vcpus: Filter = (request) => (host) =>
  request.vcpus <= host.threads
    ? undefined
    : obstacle(
        'TooFewCPUs',
        { threads: host.threads, vcpus: request.vcpus },
        (facts) => `it has ${facts.threads} hardware threads, the VM has ${facts.vcpus} vCPUs`,
      );
