import type { Inventory } from '../model/inventory.ts';
import { nameOf } from '../model/names.ts';
import type { RuleGroupModel } from '../model/rule-group.ts';
import { shortList } from '../model/short-list.ts';
import { type Obstacle, obstacle } from './obstacle.ts';

/** Whether a VM on this host (by name) would break a rule group. Undefined: it would not. */
export type RuleCheck = (host: string) => Obstacle | undefined;

/** Most names that a sentence holds. */
const NAMES_SHOWN = 3;

/** What the rule groups of a VM say about hosts, as the other members are placed now. */
export function ruleChecks(
  virtualMachine: string,
  inventory: Inventory,
  isMeant: (group: RuleGroupModel) => boolean,
): RuleCheck[] {
  return inventory
    .groupsOf(virtualMachine)
    .filter(isMeant)
    .flatMap((group) => checkOf(group, virtualMachine, inventory) ?? []);
}

function checkOf(group: RuleGroupModel, virtualMachine: string, inventory: Inventory): RuleCheck | undefined {
  switch (group.type) {
    case 'KeepTogether':
      return together(group, othersByHost(group, virtualMachine, inventory));
    case 'Separate':
      return apart(group, othersByHost(group, virtualMachine, inventory));
    case 'VMsToHosts':
      return onHosts(group);
  }
}

/** Members that are placed, without the VM itself, by their host. */
function othersByHost(
  { members }: RuleGroupModel,
  virtualMachine: string,
  inventory: Inventory,
): ReadonlyMap<string, string[]> {
  const byHost = new Map<string, string[]>();
  for (const member of members) {
    if (member === virtualMachine) continue;
    for (const host of inventory.hostsOf(member)) {
      const known = byHost.get(host);
      if (known === undefined) byHost.set(host, [member]);
      else known.push(member);
    }
  }
  return byHost;
}

/** The first member to be placed chooses; the others follow it. Members that are on several hosts keep nobody away from these. */
function together({ name }: RuleGroupModel, others: ReadonlyMap<string, string[]>): RuleCheck | undefined {
  if (others.size === 0) return undefined;
  const elsewhere = obstacle('KeepTogether', { group: name, others }, sayTogether);
  return (host) => (others.has(host) ? undefined : elsewhere);
}

const sayTogether = ({ group, others }: { group: string; others: ReadonlyMap<string, string[]> }) =>
  `RuleGroup ${nameOf(group)} keeps the VM with ${where(others)}`;

function apart({ name }: RuleGroupModel, others: ReadonlyMap<string, string[]>): RuleCheck | undefined {
  if (others.size === 0) return undefined;
  return (host) => {
    const members = others.get(host)?.toSorted();
    return members && obstacle('Separate', { group: name, members }, sayApart);
  };
}

const sayApart = ({ group, members }: { group: string; members: readonly string[] }) =>
  `RuleGroup ${nameOf(group)} keeps the VM apart from ${shown(members.map(nameOf))}, which is there`;

function onHosts({ name, isOn, hosts }: Extract<RuleGroupModel, { type: 'VMsToHosts' }>): RuleCheck {
  const wrong = obstacle('VMsToHosts', { group: name, isOn, hosts }, sayOnHosts);
  return (host) => (hosts.has(host) === isOn ? undefined : wrong);
}

const sayOnHosts = ({ group, isOn, hosts }: { group: string; isOn: boolean; hosts: ReadonlySet<string> }) =>
  isOn
    ? `RuleGroup ${nameOf(group)} keeps the VM on ${shown([...hosts].toSorted())}`
    : `RuleGroup ${nameOf(group)} keeps the VM off this host`;

function where(byHost: ReadonlyMap<string, string[]>): string {
  return [...byHost]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([host, members]) => `${shown(members.toSorted().map(nameOf))} on ${host}`)
    .join('; ');
}

function shown(names: readonly string[]): string {
  return names.length === 0 ? 'no host' : shortList(names, NAMES_SHOWN);
}
