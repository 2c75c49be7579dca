import type { Host } from '../../api/host.ts';
import type { RuleGroup } from '../../api/rule-group.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { RuleGroupModel } from '../../core/model/rule-group.ts';
import { type Conflict, judgeGroups } from '../../core/rulegroup/conflicts.ts';
import { isSelected, readRuleGroup } from '../../core/rulegroup/read-rule-group.ts';
import { type Change, type KubeObject, keyOf, type ObjectKey, refOfKey } from '../../kube/index.ts';
import type { Informers } from '../informers.ts';

/** A group with the VMs that its selector picks, kept as VMs come, go and change their labels. */
interface Entry {
  readonly group: RuleGroup;
  readonly selected: Set<ObjectKey>;
}

/** All groups of one namespace, judged. */
interface Judged {
  readonly models: ReadonlyMap<ObjectKey, RuleGroupModel>;
  readonly inEffect: ReadonlySet<ObjectKey>;
  readonly conflicts: readonly Conflict[];
  readonly byMember: ReadonlyMap<ObjectKey, readonly RuleGroupModel[]>;
}

interface Namespace {
  readonly entries: Map<ObjectKey, Entry>;
  /** Absent: something changed since. */
  judged?: Judged | undefined;
}

const NO_GROUPS: readonly RuleGroupModel[] = [];

/**
 * RuleGroups with their selectors resolved, and which of them have effect. A change of a VM is compared with the groups of its
 * namespace alone, so that its cost does not grow with the fleet; groups are judged anew when somebody asks.
 */
export class RuleGroups {
  readonly #informers: Informers;
  readonly #namespaces = new Map<string, Namespace>();
  #version = 0;

  constructor(informers: Informers) {
    this.#informers = informers;
    informers.ruleGroups.onChange((change) => this.#onGroup(change));
    informers.virtualMachines.onChange((change) => this.#onVM(change));
    informers.hosts.onChange((change) => this.#onHost(change));
  }

  /** Grows when a group, or who is a member of it, may have become another. */
  get version(): number {
    return this.#version;
  }

  /** Groups in effect that a VM is a member of, by name. */
  groupsOf(virtualMachine: ObjectKey): readonly RuleGroupModel[] {
    return this.#judged(namespaceOf(virtualMachine))?.byMember.get(virtualMachine) ?? NO_GROUPS;
  }

  /** What came of a group. Undefined: there is no such group. */
  of(
    key: ObjectKey,
  ):
    | { readonly model: RuleGroupModel; readonly inEffect: boolean; readonly conflicts: readonly Conflict[] }
    | undefined {
    const judged = this.#judged(namespaceOf(key));
    const model = judged?.models.get(key);
    if (judged === undefined || model === undefined) return undefined;
    const conflicts = judged.conflicts.filter(({ kept, dropped }) => kept === key || dropped === key);
    return { model, inEffect: judged.inEffect.has(key), conflicts };
  }

  /** Keys of all groups that a VM is a member of, also of those without effect. */
  keysAbout(virtualMachine: ObjectKey): ObjectKey[] {
    const models = this.#judged(namespaceOf(virtualMachine))?.models ?? [];
    return [...models].flatMap(([key, { members }]) => (members.has(virtualMachine) ? [key] : []));
  }

  /** Keys of all groups of a namespace. */
  keysIn(namespace: string): ObjectKey[] {
    return [...(this.#namespaces.get(namespace)?.entries.keys() ?? [])];
  }

  #onGroup(change: Change<RuleGroup>): void {
    if (!isAboutSpec(change)) return;
    const { type, key, object } = change;
    const namespace = namespaceOf(key);
    const known = this.#namespaces.get(namespace) ?? { entries: new Map<ObjectKey, Entry>() };
    if (type === 'deleted') known.entries.delete(key);
    else known.entries.set(key, { group: object, selected: this.#select(object) });
    known.judged = undefined;
    this.#version += 1;
    if (known.entries.size === 0) this.#namespaces.delete(namespace);
    else this.#namespaces.set(namespace, known);
  }

  #onVM(change: Change<VirtualMachine>): void {
    const namespace = this.#namespaces.get(namespaceOf(change.key));
    if (namespace === undefined || !isAboutLabels(change)) return;
    for (const { group, selected } of namespace.entries.values()) {
      const isMember = change.type !== 'deleted' && isSelected(group, change.object);
      if (isMember === selected.has(change.key)) continue;
      if (isMember) selected.add(change.key);
      else selected.delete(change.key);
      namespace.judged = undefined;
      this.#version += 1;
    }
  }

  #onHost(change: Change<Host>): void {
    if (!isAboutLabels(change)) return;
    for (const namespace of this.#namespaces.values()) namespace.judged = undefined;
    this.#version += 1;
  }

  #select(group: RuleGroup): Set<ObjectKey> {
    if (group.spec.virtualMachines.selector === undefined) return new Set();
    const { namespace } = group.metadata;
    const vms = this.#informers.virtualMachines.list().filter((vm) => vm.metadata.namespace === namespace);
    return new Set(vms.filter((vm) => isSelected(group, vm)).map(keyOf));
  }

  #judged(name: string): Judged | undefined {
    const namespace = this.#namespaces.get(name);
    if (namespace === undefined) return undefined;
    namespace.judged ??= judge(namespace.entries, this.#informers.hosts.list());
    return namespace.judged;
  }
}

function judge(entries: ReadonlyMap<ObjectKey, Entry>, hosts: readonly Host[]): Judged {
  const models = new Map(
    [...entries].map(([key, { group, selected }]) => [key, readRuleGroup(group, selected, hosts)]),
  );
  const { inEffect, conflicts } = judgeGroups(
    [...models.values()],
    hosts.map(({ metadata }) => metadata.name),
  );
  const byMember = new Map<ObjectKey, RuleGroupModel[]>();
  for (const model of inEffect.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    for (const member of model.members) {
      const known = byMember.get(member);
      if (known === undefined) byMember.set(member, [model]);
      else known.push(model);
    }
  }
  return { models, inEffect: new Set(inEffect.map(({ name }) => name)), conflicts, byMember };
}

export function namespaceOf(key: ObjectKey): string {
  return refOfKey(key).namespace ?? '';
}

interface Labelled {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
}

/** Whether a group came, went or says something else; a new status says nothing new. */
export function isAboutSpec(change: Change<RuleGroup>): boolean {
  return change.type !== 'updated' || change.object.metadata.generation !== change.previous.metadata.generation;
}

/** Whether a VM or host came, went or got other labels: what rules can pick it by. */
export function isAboutLabels(change: Change<Labelled & KubeObject>): boolean {
  return change.type !== 'updated' || !sameLabels(change.object, change.previous);
}

function sameLabels(a: Labelled, b: Labelled): boolean {
  const [left, right] = [Object.entries(a.metadata.labels), b.metadata.labels];
  return left.length === Object.keys(right).length && left.every(([key, value]) => right[key] === value);
}
