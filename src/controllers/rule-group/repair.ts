import { keepsTogether } from '../../core/migration/together.ts';
import { nameOf } from '../../core/model/names.ts';
import type { RuleGroupModel } from '../../core/model/rule-group.ts';
import { ruleChecks } from '../../core/placement/rules.ts';
import { planRepair, type Remedy, type Repairable } from '../../core/rulegroup/repair.ts';
import type { Violation } from '../../core/rulegroup/violations.ts';
import { refOfKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { historyOf } from '../migration/history.ts';
import { attemptName, type MigrationToMake } from '../migration/make.ts';
import { planFor, planForGroup, togetherWith } from '../migration/plan.ts';

/** How many VMs of one group may be on their way at once. */
const BUDGET = 2;

export interface Repair {
  readonly remedies: readonly Remedy[];
  readonly make: readonly MigrationToMake[];
  /** When something that failed is tried again (Unix time, milliseconds). Undefined: nothing waits. */
  readonly untilMs?: number;
}

/** What is done about the violations of a group that has effect. */
export function repairOf(
  group: RuleGroupModel,
  violations: readonly Violation[],
  deps: ControllerDependencies,
  now: Date,
): Repair {
  const isOne = keepsTogether(group);
  const repairables = violations.map((violation) => repairableOf(violation, group, isOne, deps));
  // What keeps together is moved as one: one Migration for all of them.
  const { remedies, untilMs } = planRepair(repairables, isOne ? 1 : BUDGET, now.getTime());
  const moved = remedies.filter(({ targetHost }) => targetHost !== undefined);
  return {
    remedies,
    make: isOne
      ? moved.slice(0, 1).map((remedy) => groupMigration(group, remedy, deps))
      : moved.map((remedy) => migration(remedy, deps)),
    ...(untilMs !== undefined && { untilMs }),
  };
}

function repairableOf(
  violation: Violation,
  group: RuleGroupModel,
  isOne: boolean,
  deps: ControllerDependencies,
): Repairable {
  const { virtualMachine: key } = violation;
  const { underWay, failed } = historyOf(key, 'RuleGroup', deps);
  return {
    ...violation,
    underWay: underWay[0],
    failed,
    plan: () =>
      isOne
        ? planForGroup(togetherWith(key, deps), { targetHost: undefined, isEvacuation: false }, undefined, deps)
        : planAlone(key, group, deps),
  };
}

/** A host on which the VM keeps this rule, and breaks no other one that it keeps now. */
function planAlone(key: string, group: RuleGroupModel, deps: ControllerDependencies): ReturnType<Repairable['plan']> {
  const { name } = refOfKey(key);
  const verdict = planFor(
    key,
    { virtualMachineName: name, targetHost: undefined, uid: undefined, isEvacuation: false },
    deps,
    undefined,
  );
  if (!verdict.ok) return verdict;
  const targetHost = verdict.target.metadata.name;
  // A preferred rule gives way where it must: but nobody is moved to break one rule in the place of another.
  const inventory = deps.inventories.of(deps.inventories.clusterOf(targetHost));
  const broken = [
    ...ruleChecks(key, inventory, ({ name: other }) => other === group.name),
    ...ruleChecks(key, inventory, ({ name: other }) => other !== group.name),
  ].flatMap((check) => check(targetHost) ?? []);
  const [first] = broken;
  if (first === undefined) return { ok: true, targetHost };
  const message = `the best host, ${targetHost}, would not keep all rules: ${first.message}`;
  return { ok: false, failures: [{ reason: first.reason, message }] };
}

/** Its target is chosen when its turn has come: then the others that were moved for the same rule are counted. */
function migration({ violation }: Remedy, deps: ControllerDependencies): MigrationToMake {
  const { virtualMachine: key } = violation;
  const { namespace = '', name } = refOfKey(key);
  const { virtualMachineUID = '', epoch = 0 } = deps.informers.instances.get(key)?.spec ?? {};
  const { failed } = historyOf(key, 'RuleGroup', deps);
  return {
    namespace,
    name: attemptName(name, 'rule', [virtualMachineUID, epoch, failed.length]),
    spec: { cause: 'RuleGroup', virtualMachineName: name },
  };
}

function groupMigration(
  group: RuleGroupModel,
  { violation, targetHost }: Remedy,
  deps: ControllerDependencies,
): MigrationToMake {
  const { namespace = '' } = refOfKey(violation.virtualMachine);
  const { failed } = historyOf(violation.virtualMachine, 'RuleGroup', deps);
  const placements = [...group.members].toSorted().map((key) => {
    const { virtualMachineUID, epoch } = deps.informers.instances.get(key)?.spec ?? {};
    return `${key}=${virtualMachineUID}/${epoch}`;
  });
  return {
    namespace,
    name: attemptName(nameOf(group.name), 'together', [...placements, failed.length]),
    spec: { cause: 'RuleGroup', ruleGroupName: nameOf(group.name), ...(targetHost !== undefined && { targetHost }) },
  };
}
