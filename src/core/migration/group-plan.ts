import type { Host } from '../../api/host.ts';
import type { MigrationFailure } from '../../api/migration.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { HostModel } from '../model/host.ts';
import type { Inventory } from '../model/inventory.ts';
import { nameOf } from '../model/names.ts';
import { WorkingInventory } from '../model/working-inventory.ts';
import type { Admission } from '../placement/admission.ts';
import { place } from '../placement/place.ts';
import type { PlacementRequest } from '../placement/request.ts';
import { obstaclesOf } from './preconditions.ts';
import { whileMovedTogether } from './together.ts';

/** A VM of a group that is to be moved as one. */
export interface GroupMember {
  /** `namespace/name`. */
  readonly key: string;
  readonly instance: VirtualMachineInstance;
  /** What it asks of another host. */
  readonly request: PlacementRequest;
  /** Everything that keeps it from being moved at all; empty: nothing. */
  readonly obstacles: readonly MigrationFailure[];
}

export type GroupVerdict =
  | { readonly ok: true; readonly targetHost: string; readonly members: readonly GroupMember[] }
  | { readonly ok: false; readonly failures: readonly MigrationFailure[] };

/**
 * Chooses the host for VMs that are moved as one: one that takes them all, one after the other, each by every rule. Of several
 * the one on which most of them are already, then the one with the most free memory.
 * @param targetHost the only one that may be chosen. Undefined: any.
 * @param admission is asked of a host that takes them all. Undefined: nothing is kept free.
 */
export function planGroup(
  members: readonly GroupMember[],
  base: Inventory,
  targetHost: string | undefined,
  findHost: (name: string) => Host | undefined,
  admission?: Admission,
): GroupVerdict {
  if (members.length === 0) {
    return refused([{ reason: 'NotRunning', message: 'none of the VMs of the RuleGroup is on a host' }]);
  }
  const obstacles = members.flatMap((member) => member.obstacles.map((each) => about(member, each)));
  if (obstacles.length > 0) return refused(obstacles);
  if (targetHost !== undefined && findHost(targetHost) === undefined) {
    return refused([{ reason: 'HostNotFound', message: `there is no Host "${targetHost}" (spec.targetHost)` }]);
  }
  const inventory = whileMovedTogether(base, new Set(members.map(({ key }) => key)));
  const countOn = (host: string) => members.filter(({ instance }) => instance.spec.host === host).length;
  const asked = inventory.hosts.filter(({ name }) => targetHost === undefined || name === targetHost);
  const candidates = asked.filter(({ name, inMaintenance }) => countOn(name) < members.length && !inMaintenance);
  if (candidates.length === 0) return refused([noCandidate(asked, targetHost)]);
  const tried = candidates.map((host) => ({ host, failures: failuresOn(host.name, members, inventory, admission) }));
  const fitting = tried
    .filter(({ failures }) => failures.length === 0)
    .map(({ host }) => ({
      name: host.name,
      there: countOn(host.name),
      freeBytes: host.allocatable.memoryBytes - host.reserved.memoryBytes,
    }))
    .toSorted((a, b) => b.there - a.there || b.freeBytes - a.freeBytes || (a.name < b.name ? -1 : 1));
  const [best] = fitting;
  if (best === undefined) return refused(tried.flatMap(({ failures }) => failures));
  return { ok: true, targetHost: best.name, members };
}

function noCandidate(asked: readonly HostModel[], targetHost: string | undefined): MigrationFailure {
  const [host] = asked;
  if (targetHost === undefined)
    return { reason: 'NoHostFits', message: 'the Cluster has no other host that takes VMs' };
  if (host === undefined)
    return { reason: 'OtherCluster', message: `host ${targetHost} does not belong to the Cluster of the VMs` };
  return host.inMaintenance
    ? { reason: 'HostInMaintenance', message: `host ${targetHost} is in maintenance` }
    : { reason: 'IsSource', message: `all of the VMs are on host ${targetHost} already` };
}

function failuresOn(
  host: string,
  members: readonly GroupMember[],
  inventory: Inventory,
  admission: Admission | undefined,
): MigrationFailure[] {
  const working = new WorkingInventory(inventory);
  const moving = members.filter(({ instance }) => instance.spec.host !== host);
  for (const { key, instance } of moving) working.remove(key, instance.spec.host, instance.spec.reserved);
  const failures: MigrationFailure[] = [];
  for (const member of moving) {
    const only = { ...inventoryView(working), hosts: working.hosts.filter(({ name }) => name === host) };
    const placement = place(member.request, only);
    if (!placement.ok) failures.push(...placement.verdicts.flatMap(obstaclesOf).map((each) => about(member, each)));
    working.add(member.key, host, member.instance.spec.reserved);
  }
  const refusal =
    failures.length > 0
      ? undefined
      : admission?.checkTogether(
          moving.map(({ request }) => request),
          host,
        );
  if (refusal === undefined) return failures;
  return [{ reason: refusal.reason, message: `host ${host}: ${refusal.message}`.slice(0, 1024) }];
}

function inventoryView(working: WorkingInventory): Inventory {
  return {
    hosts: working.hosts,
    hostsOf: (virtualMachine) => working.hostsOf(virtualMachine),
    groupsOf: (virtualMachine) => working.groupsOf(virtualMachine),
  };
}

function about({ key }: GroupMember, { reason, message }: MigrationFailure): MigrationFailure {
  return { reason, message: `VM ${nameOf(key)}: ${message}`.slice(0, 1024) };
}

function refused(failures: readonly MigrationFailure[]): GroupVerdict {
  return { ok: false, failures };
}
