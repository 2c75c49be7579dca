import type { Inventory } from '../model/inventory.ts';
import type { RuleGroupModel } from '../model/rule-group.ts';

/** Whether a group keeps its VMs together whatever happens. */
export function keepsTogether(group: RuleGroupModel): boolean {
  return group.type === 'KeepTogether' && group.isRequired;
}

/**
 * The VMs (`namespace/name`, sorted) that can only be moved together with this one, itself among them: over all required
 * KeepTogether groups, also through members that they share. Only VMs that are on a host count.
 */
export function movedTogether(virtualMachine: string, inventory: Pick<Inventory, 'hostsOf' | 'groupsOf'>): string[] {
  const found = new Set([virtualMachine]);
  // A set is walked in the order of insertion, also over what is added meanwhile.
  for (const member of found) {
    for (const group of inventory.groupsOf(member)) {
      if (!keepsTogether(group)) continue;
      for (const other of group.members) if (inventory.hostsOf(other).length > 0) found.add(other);
    }
  }
  return [...found].toSorted();
}

/** The same inventory for VMs that move as one: what keeps them together does not hold them back. */
export function whileMovedTogether(inventory: Inventory, members: ReadonlySet<string>): Inventory {
  return {
    hosts: inventory.hosts,
    hostsOf: (virtualMachine) => inventory.hostsOf(virtualMachine),
    groupsOf: (virtualMachine) =>
      inventory.groupsOf(virtualMachine).filter((group) => !(members.has(virtualMachine) && keepsTogether(group))),
  };
}
