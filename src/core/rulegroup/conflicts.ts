import { MAX_MEMBERS } from '../../api/rule-group.ts';
import { nameOf } from '../model/names.ts';
import { byAge } from '../model/order.ts';
import type { RuleGroupModel } from '../model/rule-group.ts';

/** Two rules that cannot both be kept. */
export interface Conflict {
  /** The older one, which keeps its effect; `namespace/name`. */
  readonly kept: string;
  /** The younger one, which has none. */
  readonly dropped: string;
  readonly why: string;
}

export interface Judgement {
  /** Groups that have effect, by age. */
  readonly inEffect: readonly RuleGroupModel[];
  readonly conflicts: readonly Conflict[];
}

/** VMs that required rules bind to one host, and what else binds them. */
interface Bundle {
  readonly members: ReadonlySet<string>;
  /** The KeepTogether rules that bind them. */
  readonly together: readonly string[];
  /** VMsToHosts rules about any of them. */
  readonly toHosts: readonly Extract<RuleGroupModel, { type: 'VMsToHosts' }>[];
}

/**
 * Finds rules that contradict each other. They are looked at by age: a younger rule that cannot be kept beside the older
 * ones that have effect has none. Preferred rules contradict nothing, since they give way. Rules about too many VMs have none
 * either, and contradict nobody.
 * @param hosts names of all hosts
 */
export function judgeGroups(groups: readonly RuleGroupModel[], hosts: readonly string[]): Judgement {
  const accepted = new Accepted(hosts);
  const inEffect: RuleGroupModel[] = [];
  const conflicts: Conflict[] = [];
  for (const group of groups.toSorted(byAge)) {
    if (group.members.size > MAX_MEMBERS) continue;
    const found = group.isRequired ? accepted.add(group) : [];
    if (found.length === 0) inEffect.push(group);
    conflicts.push(...found.map(({ kept, why }) => ({ kept, dropped: group.name, why })));
  }
  return { inEffect, conflicts };
}

interface Clash {
  readonly kept: string;
  readonly why: string;
}

/** The required rules that have effect so far. */
class Accepted {
  readonly #hosts: readonly string[];
  readonly #bundleOf = new Map<string, Bundle>();
  readonly #apartOf = new Map<string, Extract<RuleGroupModel, { type: 'Separate' }>[]>();

  constructor(hosts: readonly string[]) {
    this.#hosts = hosts;
  }

  /** Takes the rule in, unless it contradicts others. */
  add(group: RuleGroupModel): Clash[] {
    switch (group.type) {
      case 'KeepTogether':
        return this.#addTogether(group);
      case 'Separate':
        return this.#addSeparate(group);
      case 'VMsToHosts':
        return this.#addToHosts(group);
    }
  }

  #addTogether(group: RuleGroupModel): Clash[] {
    const merged = merge([...group.members].map((member) => this.#bundle(member)));
    const bundle: Bundle = { ...merged, together: [...merged.together, group.name] };
    const clashes = [...this.#apartWithin(bundle), ...this.#withoutHost(bundle, undefined)];
    if (clashes.length === 0) this.#keep(bundle);
    return clashes;
  }

  #addSeparate(group: Extract<RuleGroupModel, { type: 'Separate' }>): Clash[] {
    const firstOf = new Map<Bundle, string>();
    const clashes: Clash[] = [];
    for (const member of [...group.members].toSorted()) {
      const bundle = this.#bundle(member);
      const first = firstOf.get(bundle);
      firstOf.set(bundle, member);
      if (first === undefined) continue;
      const why = `${nameOf(first)} and ${nameOf(member)} are to be kept together and apart`;
      clashes.push(...bundle.together.map((kept) => ({ kept, why })));
    }
    if (clashes.length > 0) return onePerRule(clashes);
    for (const member of group.members) this.#apartOf.set(member, [...(this.#apartOf.get(member) ?? []), group]);
    return [];
  }

  #addToHosts(group: Extract<RuleGroupModel, { type: 'VMsToHosts' }>): Clash[] {
    const bundles = new Set([...group.members].map((member) => this.#bundle(member)));
    const changed = [...bundles].map((bundle) => ({ ...bundle, toHosts: [...bundle.toHosts, group] }));
    const clashes = changed.flatMap((bundle) => this.#withoutHost(bundle, group.name));
    if (clashes.length > 0) return onePerRule(clashes);
    for (const bundle of changed) this.#keep(bundle);
    return [];
  }

  #bundle(member: string): Bundle {
    return this.#bundleOf.get(member) ?? { members: new Set([member]), together: [], toHosts: [] };
  }

  #keep(bundle: Bundle): void {
    for (const member of bundle.members) this.#bundleOf.set(member, bundle);
  }

  /** Rules that keep two VMs of the bundle apart. */
  #apartWithin({ members }: Bundle): Clash[] {
    const firstOf = new Map<string, string>();
    const clashes: Clash[] = [];
    for (const member of [...members].toSorted()) {
      for (const { name } of this.#apartOf.get(member) ?? []) {
        const first = firstOf.get(name);
        if (first !== undefined)
          clashes.push({ kept: name, why: `${nameOf(first)} and ${nameOf(member)} are to be kept together and apart` });
        firstOf.set(name, member);
      }
    }
    return onePerRule(clashes);
  }

  /** Rules that together leave the bundle no host, though there are hosts, without the rule that is being added. */
  #withoutHost({ toHosts, members }: Bundle, added: string | undefined): Clash[] {
    const others = toHosts.filter(({ name }) => name !== added);
    if (others.length === 0 || this.#hosts.length === 0) return [];
    const allowed = this.#hosts.filter((host) => toHosts.every(({ hosts, isOn }) => hosts.has(host) === isOn));
    if (allowed.length > 0) return [];
    const [first = ''] = [...members].toSorted();
    const whom =
      members.size === 1 ? nameOf(first) : `${nameOf(first)} and ${members.size - 1} more that are kept together`;
    return others.map(({ name }) => ({ kept: name, why: `together they leave no host for ${whom}` }));
  }
}

function merge(bundles: readonly Bundle[]): Bundle {
  const different = [...new Set(bundles)];
  return {
    members: new Set(different.flatMap(({ members }) => [...members])),
    together: [...new Set(different.flatMap(({ together }) => together))],
    toHosts: [...new Set(different.flatMap(({ toHosts }) => toHosts))],
  };
}

function onePerRule(clashes: readonly Clash[]): Clash[] {
  const byRule = new Map<string, Clash>();
  for (const clash of clashes) if (!byRule.has(clash.kept)) byRule.set(clash.kept, clash);
  return [...byRule.values()].toSorted((a, b) => (a.kept < b.kept ? -1 : 1));
}
