import { MAX_LISTED, type RuleGroup } from '../../api/rule-group.ts';
import type { Inventory } from '../../core/model/inventory.ts';
import { nameOf } from '../../core/model/names.ts';
import { violationsOf } from '../../core/rulegroup/violations.ts';
import { type Change, keyOf, type ObjectKey, refOfKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';

/** A rule that is not kept by where a VM is. */
export interface BrokenRule {
  readonly ruleGroup: string;
  readonly message: string;
}

/** The rules in effect that a VM breaks, by name, as their own status says. */
export function brokenRules(
  key: ObjectKey,
  inventory: Inventory,
  { informers }: Pick<ControllerDependencies, 'informers'>,
): BrokenRule[] {
  const { name } = refOfKey(key);
  return inventory.groupsOf(key).flatMap((group) => {
    const listed = informers.ruleGroups.get(group.name)?.status?.violations ?? [];
    const told = listed.find(({ virtualMachine }) => virtualMachine === name);
    // A status lists the first ones alone.
    const found =
      told ??
      (listed.length < MAX_LISTED
        ? undefined
        : violationsOf(group, (member) => inventory.hostsOf(member)).find(
            ({ virtualMachine }) => virtualMachine === key,
          ));
    return found === undefined ? [] : [{ ruleGroup: nameOf(group.name), message: `the VM ${found.message}` }];
  });
}

/** VMs of which a RuleGroup says something else than before: that they break it, or that they do not any more. */
export function otherwiseViolating(change: Change<RuleGroup>): ObjectKey[] {
  const now = change.type === 'deleted' ? [] : violatorsOf(change.object);
  const before =
    'previous' in change ? violatorsOf(change.previous) : change.type === 'deleted' ? violatorsOf(change.object) : [];
  const [is, was] = [new Set(now), new Set(before)];
  return [...now.filter((key) => !was.has(key)), ...before.filter((key) => !is.has(key))];
}

/** All members where the list in the status may not name every one. */
function violatorsOf({ metadata, status }: RuleGroup): ObjectKey[] {
  const violations = status?.violations ?? [];
  const names =
    violations.length < MAX_LISTED ? violations.map(({ virtualMachine }) => virtualMachine) : (status?.members ?? []);
  return names.map((name) => keyOf({ metadata: { namespace: metadata.namespace, name } }));
}

/** Members, before and now, of a RuleGroup that says something else, or takes effect, or does not any more: where they could run hangs on it. */
export function otherwiseBound(change: Change<RuleGroup>): ObjectKey[] {
  if (change.type === 'updated' && sayingOf(change.object) === sayingOf(change.previous)) return [];
  const groups = change.type === 'updated' ? [change.previous, change.object] : [change.object];
  return groups.flatMap(({ metadata, status }) =>
    (status?.members ?? []).map((name) => keyOf({ metadata: { namespace: metadata.namespace, name } })),
  );
}

function sayingOf({ spec, status }: RuleGroup): string {
  const ready = status?.conditions.find(({ type }) => type === 'Ready')?.status;
  return JSON.stringify([spec, ready, status?.members]);
}
