import { FailoverReserve, type Reserve } from '../../../src/core/ha/admission.ts';
import { byUrgency, type ProtectedVirtualMachine } from '../../../src/core/ha/urgency.ts';
import { type Fleet, type Survival, WhatIf } from '../../../src/core/ha/what-if.ts';
import { addResources } from '../../../src/core/model/host.ts';
import { place } from '../../../src/core/placement/place.ts';
import { fullFleet, requestOf, vmName } from './fleet.ts';

const ONE: Reserve = { type: 'HostFailures', count: 1 };

/** A fleet whose VMs are all to run elsewhere when their host dies. */
export function protectedFleet(hosts: number, vms: number): Fleet {
  const inventory = fullFleet(hosts, vms);
  const lists = new Map<string, ProtectedVirtualMachine[]>();
  for (let index = 0; index < vms; index++) {
    const [host = ''] = inventory.hostsOf(vmName(index));
    lists.set(host, [...(lists.get(host) ?? []), { request: requestOf(index), priority: 'Medium' }]);
  }
  for (const list of lists.values()) list.sort(byUrgency);
  return { inventory, protectedOn: (host) => lists.get(host) ?? [], dead: new Set(), failoverHosts: new Set() };
}

/** Places VMs one after the other, each with room kept for the failure of a host. @returns CPU time of each, milliseconds, ascending */
export function burst(start: Fleet, first: number, count: number): number[] {
  const found: number[] = [];
  let fleet = start;
  let before: FailoverReserve | undefined;
  for (let index = 0; index < count; index++) {
    const request = requestOf(first + index);
    const began = process.cpuUsage();
    const reserve = new FailoverReserve(ONE, fleet, before);
    const placement = place(request, fleet.inventory, reserve);
    found.push(cpuMs(began));
    before = reserve;
    if (placement.ok) fleet = withOneMore(fleet, { request, priority: 'Medium' }, placement.host);
  }
  return found.sort((a, b) => a - b);
}

/** How many hosts may fail, with the CPU time of finding out, milliseconds. */
export function tolerance(fleet: Fleet): { readonly ms: number; readonly survival: Survival } {
  const began = process.cpuUsage();
  const { survival } = new WhatIf(fleet, { hosts: 8, by: 'memoryBytes' });
  return { ms: cpuMs(began), survival };
}

function withOneMore({ inventory, protectedOn, ...rest }: Fleet, vm: ProtectedVirtualMachine, host: string): Fleet {
  const list = [...protectedOn(host), vm].toSorted(byUrgency);
  const hosts = inventory.hosts.map((each) =>
    each.name === host ? { ...each, reserved: addResources(each.reserved, vm.request.reserved) } : each,
  );
  const { hostsOf, groupsOf } = inventory;
  return {
    ...rest,
    inventory: { hosts, hostsOf, groupsOf },
    protectedOn: (name) => (name === host ? list : protectedOn(name)),
  };
}

/** Other work on the machine counts for nothing. */
function cpuMs(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
}
