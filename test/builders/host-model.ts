import { type HostModel, NO_RESOURCES } from '../../src/core/model/host.ts';
import type { RuleGroupModel } from '../../src/core/model/rule-group.ts';
import { YES } from '../../src/core/model/verdict.ts';
import type { PlacementRequest } from '../../src/core/placement/request.ts';

const GIB = 2 ** 30;

/** A ready host with 8 threads and 16 GiB, nothing reserved, that sees datastore `shared` and switch `lan`. */
export function host(name: string, overrides: Partial<HostModel> = {}): HostModel {
  return {
    name,
    labels: {},
    ready: YES,
    inMaintenance: false,
    threads: 8,
    numaCells: [],
    allocatable: { cpuCores: 8, memoryBytes: 16 * GIB },
    reserved: NO_RESOURCES,
    cpuModels: new Set(),
    cpuFeatures: undefined,
    missingCpuFeatures: new Map(),
    hostDevices: new Set(),
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
    cpuModel: undefined,
    cpuFeatures: undefined,
    hostDevices: [],
    datastores: [],
    switches: [],
    diskHosts: [],
    onlyHost: undefined,
    leaves: undefined,
    recentHosts: new Set(),
    failedHosts: new Map(),
    restartPriority: 'Medium',
    isEvacuation: false,
    ...overrides,
  };
}

/** A required group of namespace default; what its type needs besides must be given. */
export function group(
  given: { readonly members: readonly string[]; readonly name?: string; readonly isRequired?: boolean } & (
    | { readonly type: 'KeepTogether' | 'Separate' }
    | { readonly type: 'VMsToHosts'; readonly isOn: boolean; readonly hosts: ReadonlySet<string> }
  ),
): RuleGroupModel {
  const common = {
    name: 'default/group',
    createdAt: '2030-01-01T00:00:00Z',
    isRequired: true,
  };
  return { ...common, ...given, members: new Set(given.members) };
}
