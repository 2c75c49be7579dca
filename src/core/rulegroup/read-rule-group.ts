import { matchesSelector } from '../../api/common/selector.ts';
import type { Host } from '../../api/host.ts';
import type { RuleGroup } from '../../api/rule-group.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { RuleGroupModel } from '../model/rule-group.ts';

/**
 * A RuleGroup with its selectors resolved. Members that are named count from the start, so that a contradiction shows when it
 * is written and not when a VM comes.
 * @param selected VMs (`namespace/name`) that its selector picks, see {@link isSelected}
 */
export function readRuleGroup(group: RuleGroup, selected: Iterable<string>, hosts: readonly Host[]): RuleGroupModel {
  const { spec, metadata } = group;
  const { type, relation } = spec;
  const named = (spec.virtualMachines.names ?? []).map((member) => `${metadata.namespace}/${member}`);
  const common = {
    name: `${metadata.namespace}/${metadata.name}`,
    createdAt: metadata.creationTimestamp,
    members: new Set([...named, ...selected]),
  };
  if (type !== 'VMsToHosts') return { ...common, type, isRequired: spec.enforcement !== 'Preferred' };
  return {
    ...common,
    type,
    isRequired: relation === 'MustRunOn' || relation === 'MustNotRunOn',
    isOn: relation === 'MustRunOn' || relation === 'ShouldRunOn',
    hosts: hostsOf(spec.hosts, hosts),
  };
}

/** Whether the group's selector picks a VM of its namespace. */
export function isSelected({ spec }: RuleGroup, { metadata }: VirtualMachine): boolean {
  const { selector } = spec.virtualMachines;
  return selector !== undefined && matchesSelector(selector, metadata.labels);
}

function hostsOf(wanted: RuleGroup['spec']['hosts'], hosts: readonly Host[]): Set<string> {
  const named = new Set(wanted?.names ?? []);
  return new Set(
    hosts
      .filter(
        ({ metadata }) =>
          named.has(metadata.name) ||
          (wanted?.selector !== undefined && matchesSelector(wanted.selector, metadata.labels)),
      )
      .map(({ metadata }) => metadata.name),
  );
}
