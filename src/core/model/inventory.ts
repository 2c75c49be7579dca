import type { HostModel } from './host.ts';
import { byName } from './order.ts';
import type { RuleGroupModel } from './rule-group.ts';

/**
 * Hosts, VMs and groups at one moment, as a decision sees them. Nothing in it changes while a decision is made; vSphere's
 * word, since `Snapshot` means a VM's snapshot here.
 */
export interface Inventory {
  /** By name, ascending. */
  readonly hosts: readonly HostModel[];
  /** Hosts (by name) where a VM (`namespace/name`) is or may be: none, one, or two while it is moved. */
  hostsOf(virtualMachine: string): readonly string[];
  /** The groups in effect that a VM is a member of, by name. */
  groupsOf(virtualMachine: string): readonly RuleGroupModel[];
}

const NO_GROUPS: readonly RuleGroupModel[] = [];
const NO_HOSTS: readonly string[] = [];

/** An inventory of what is given; for small ones, since it looks at everything once. */
export function inventoryOf({
  hosts,
  placements = new Map(),
  groups = [],
}: {
  readonly hosts: readonly HostModel[];
  /** Hosts of each placed VM, by `namespace/name`. */
  readonly placements?: ReadonlyMap<string, readonly string[]>;
  readonly groups?: readonly RuleGroupModel[];
}): Inventory {
  const groupsByMember = new Map<string, RuleGroupModel[]>();
  for (const group of groups.toSorted(byName)) {
    for (const member of group.members) {
      const known = groupsByMember.get(member);
      if (known === undefined) groupsByMember.set(member, [group]);
      else known.push(group);
    }
  }
  return {
    hosts: hosts.toSorted(byName),
    hostsOf: (virtualMachine) => placements.get(virtualMachine) ?? NO_HOSTS,
    groupsOf: (virtualMachine) => groupsByMember.get(virtualMachine) ?? NO_GROUPS,
  };
}
