import type { HostModel } from '../../src/core/model/host.ts';
import { YES } from '../../src/core/model/verdict.ts';
import type { PlacementRequest } from '../../src/core/placement/request.ts';

const GIB = 2 ** 30;

/** A ready host with 8 threads and 16 GiB, nothing reserved, that sees datastore `shared` and switch `lan`. */
export function host(name: string, overrides: Partial<HostModel> = {}): HostModel {
  return {
    name,
    labels: {},
    ready: YES,
    threads: 8,
    allocatable: { cpuCores: 8, memoryBytes: 16 * GIB },
    reserved: { cpuCores: 0, memoryBytes: 0 },
    datastores: new Set(['shared']),
    switches: new Set(['lan']),
    ...overrides,
  };
}

/** A VM of one vCPU and 1 GiB that asks for nothing else. */
export function request(overrides: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    virtualMachine: 'default/vm',
    vcpus: 1,
    reserved: { cpuCores: 0, memoryBytes: GIB },
    hostSelector: undefined,
    datastores: [],
    switches: [],
    diskHosts: [],
    onlyHost: undefined,
    ...overrides,
  };
}
