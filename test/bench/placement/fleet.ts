import type { HostModel, Resources } from '../../../src/core/model/host.ts';
import { type Inventory, inventoryOf } from '../../../src/core/model/inventory.ts';
import type { RuleGroupModel } from '../../../src/core/model/rule-group.ts';
import type { PlacementRequest } from '../../../src/core/placement/request.ts';
import { group, host, request } from '../../builders/host-model.ts';

const GIB = 2 ** 30;
/** Every tenth VM is a member of groups of this size. */
const GROUP_SIZE = 10;

/** A fleet as large installations have it: racks, a few datastores and switches, two CPU generations, rule groups. */
export function fleetHosts(count: number): HostModel[] {
  return Array.from({ length: count }, (_, index) =>
    host(`host-${String(index).padStart(4, '0')}`, {
      labels: { rack: `r${index % 40}`, disk: index % 2 === 0 ? 'ssd' : 'hdd' },
      threads: 64,
      allocatable: { cpuCores: 64, memoryBytes: 512 * GIB },
      numaCells: Array(2).fill({ threads: 32, memoryBytes: 256 * GIB }),
      cpuFeatures: undefined,
      missingCpuFeatures: new Map(),
      cpuModels: new Set(index % 3 === 0 ? ['Nehalem'] : ['Nehalem', 'Haswell']),
      datastores: new Set([`ds-${index % 4}`, 'shared']),
      switches: new Set(['lan', 'dmz']),
    }),
  );
}

export function vmName(index: number): string {
  return `tenant-${index % 50}/vm-${index}`;
}

/** Sizes go from 2 GiB to 30 GiB. */
export function reservedBy(index: number): Resources {
  return { cpuCores: index % 5 === 0 ? 1 : 0, memoryBytes: (2 + (index % 15) * 2) * GIB };
}

export function requestOf(index: number): PlacementRequest {
  return request({
    virtualMachine: vmName(index),
    vcpus: 1 + (index % 8),
    reserved: reservedBy(index),
    hostSelector: index % 4 === 0 ? { matchLabels: { disk: 'ssd' } } : undefined,
    cpuFeatures: undefined,
    cpuModel: index % 2 === 0 ? 'Haswell' : 'Nehalem',
    datastores: ['shared'],
    switches: ['lan'],
  });
}

export function fleetGroups(vms: number): RuleGroupModel[] {
  const types = ['Separate', 'KeepTogether'] as const;
  return Array.from({ length: Math.floor(vms / 10 / GROUP_SIZE) }, (_, index) => {
    const members = Array.from({ length: GROUP_SIZE }, (_member, place) => vmName((index * GROUP_SIZE + place) * 10));
    const type = types[index % 2] ?? 'Separate';
    return group({ type, name: `tenant/g${index}`, members, isRequired: index % 4 !== 0 });
  });
}

/** All VMs placed, evenly. */
export function fullFleet(hosts: number, vms: number): Inventory {
  const bare = fleetHosts(hosts);
  const sums = new Map<number, Resources>();
  const placements = new Map<string, string[]>();
  for (let index = 0; index < vms; index++) {
    const at = index % hosts;
    const { cpuCores, memoryBytes } = reservedBy(index);
    const sum = sums.get(at) ?? { cpuCores: 0, memoryBytes: 0 };
    sums.set(at, { cpuCores: sum.cpuCores + cpuCores, memoryBytes: sum.memoryBytes + memoryBytes });
    placements.set(vmName(index), [bare[at]?.name ?? '']);
  }
  return inventoryOf({
    hosts: bare.map((each, index) => ({ ...each, reserved: sums.get(index) ?? each.reserved })),
    placements,
    groups: fleetGroups(vms),
  });
}
