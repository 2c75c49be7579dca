import { MAX_LISTED, MAX_MEMBERS, type RuleGroup, type RuleGroupStatus } from '../../api/rule-group.ts';
import { nameOf } from '../../core/model/names.ts';
import type { RuleGroupModel } from '../../core/model/rule-group.ts';
import type { Conflict } from '../../core/rulegroup/conflicts.ts';
import type { Remedy } from '../../core/rulegroup/repair.ts';
import type { Violation } from '../../core/rulegroup/violations.ts';
import { type ConditionInput, setConditions } from '../../runtime/index.ts';

/** What a status is made from. */
export interface StatusInput {
  readonly group: RuleGroup;
  readonly model: RuleGroupModel;
  readonly inEffect: boolean;
  readonly conflicts: readonly Conflict[];
  /** Members that exist, as `namespace/name`, sorted. */
  readonly members: readonly string[];
  readonly violations: readonly Violation[];
  /** What is done about each violation, in their order. Empty: nothing, since the rule has no effect. */
  readonly remedies: readonly Remedy[];
  /** Hosts of the Clusters that the members belong to. */
  readonly hostCount: number;
  readonly now: Date;
}

/** The status of a RuleGroup, computed anew in every pass. */
export function statusOf(input: StatusInput): RuleGroupStatus {
  const { group, model, members, conflicts, now } = input;
  const observedGeneration = group.metadata.generation;
  const { violations, remedies } = input;
  const conditions = [ready(input), satisfied(input)];
  return {
    observedGeneration,
    memberCount: members.length,
    members: unlessEmpty(members.length > MAX_MEMBERS ? [] : members.map(nameOf)),
    hosts: unlessEmpty(model.type === 'VMsToHosts' ? [...model.hosts].toSorted() : []),
    violations: unlessEmpty(
      violations.slice(0, MAX_LISTED).map(({ virtualMachine, host, message }, index) => {
        const remedy = remedies[index]?.message.slice(0, 1024);
        return { virtualMachine: nameOf(virtualMachine), host, message, ...(remedy !== undefined && { remedy }) };
      }),
    ),
    conflicts: unlessEmpty(conflicts.slice(0, MAX_LISTED).map((conflict) => conflictOf(conflict, model.name))),
    conditions: [
      ...setConditions(
        group.status?.conditions ?? [],
        conditions.map((condition) => ({ ...condition, observedGeneration })),
        now,
      ),
    ],
  };
}

/** An empty list is left out of a status. */
function unlessEmpty<T>(list: T[]): T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function conflictOf({ kept, dropped, why }: Conflict, own: string): { ruleGroup: string; message: string } {
  const isKept = kept === own;
  const effect = isKept
    ? 'this one is older and keeps its effect'
    : 'it is older and keeps its effect, this one has none';
  return { ruleGroup: nameOf(isKept ? dropped : kept), message: `${why}; ${effect}` };
}

/** Whether the rule has effect and can be kept. */
function ready({ inEffect, conflicts, model, members, hostCount }: StatusInput): ConditionInput {
  const type = 'Ready';
  if (model.members.size > MAX_MEMBERS) {
    return {
      type,
      status: 'False',
      reason: 'TooManyMembers',
      message: `it is about ${model.members.size} VMs, at most ${MAX_MEMBERS} can be; it has no effect: narrow the selector`,
    };
  }
  if (!inEffect) {
    const rivals = conflicts.filter(({ dropped }) => dropped === model.name);
    const list = rivals.map(({ kept, why }) => `RuleGroup ${nameOf(kept)}: ${why}`).join('; ');
    return {
      type,
      status: 'False',
      reason: 'Conflict',
      message: `it has no effect, since older rules contradict it: ${list}. Change or delete one of them`,
    };
  }
  if (model.type === 'Separate' && model.isRequired && members.length > hostCount) {
    return {
      type,
      status: 'False',
      reason: 'MoreMembersThanHosts',
      message: `${members.length} VMs need a host each, and there are ${hostCount}; VMs that find none stay Pending`,
    };
  }
  if (model.type === 'VMsToHosts' && model.isOn && model.hosts.size === 0) {
    const message = model.isRequired
      ? 'no Host fits spec.hosts, so its VMs can run nowhere; label or name a Host, or correct the rule'
      : 'no Host fits spec.hosts, so it says nothing; label or name a Host, or correct the rule';
    return { type, status: 'False', reason: 'NoHosts', message };
  }
  if (members.length === 0) {
    return {
      type,
      status: 'True',
      reason: 'NoMembers',
      message: 'no VirtualMachine fits it now; it counts once one does',
    };
  }
  return {
    type,
    status: 'True',
    reason: 'InEffect',
    message: `it holds for ${members.length} VM${members.length === 1 ? '' : 's'}`,
  };
}

function satisfied({ inEffect, violations, remedies }: StatusInput): ConditionInput {
  const type = 'Satisfied';
  if (violations.length === 0)
    return { type, status: 'True', reason: 'Kept', message: 'every VM is where the rule wants it' };
  const shown = violations.slice(0, 3).map(({ virtualMachine, host, message }, index) => {
    const remedy = remedies[index]?.message;
    return `${nameOf(virtualMachine)} on ${host} ${message}${remedy === undefined ? '' : `: ${remedy}`}`;
  });
  const rest = violations.length - shown.length;
  return {
    type,
    status: 'False',
    reason: inEffect ? 'Violated' : 'NotInEffect',
    message: [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; '),
  };
}
