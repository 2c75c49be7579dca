import { RuleGroup, type RuleGroupStatus } from '../../api/rule-group.ts';
import { clusterOf } from '../../core/cluster/membership.ts';
import { violationsOf } from '../../core/rulegroup/violations.ts';
import type { ObjectKey } from '../../kube/index.ts';
import { Controller, done, type ReconcileContext, type Result, requeueAfter, source } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { isAboutLabels, isAboutSpec, namespaceOf } from '../inventory/rule-groups.ts';
import { makeMigration } from '../migration/make.ts';
import { writeStatus } from '../write-status.ts';
import { type Repair, repairOf } from './repair.ts';
import { statusOf } from './status.ts';

const NOTHING: Repair = { remedies: [], make: [] };
/** How soon a broken rule is looked at again, although nothing has changed that it could be seen by. */
const AGAIN_MS = 15_000;

/** Says of each RuleGroup which VMs it is about, whether it has effect, and which VMs are where it does not want them. */
export function ruleGroupController(deps: ControllerDependencies): Controller {
  const { informers, ruleGroups } = deps;
  // What changes one group or VM may change the judgement of every group beside it.
  const beside = ({ key }: { readonly key: ObjectKey }) => ruleGroups.keysIn(namespaceOf(key));
  return new Controller({
    name: 'rulegroup',
    sources: [
      source(informers.ruleGroups, (change) => [change.key, ...(isAboutSpec(change) ? beside(change) : [])]),
      source(informers.virtualMachines, (change) => (isAboutLabels(change) ? beside(change) : [])),
      source(informers.instances, ({ key }) => ruleGroups.keysAbout(key)),
      source(informers.hosts, (change) => (isAboutLabels(change) ? informers.ruleGroups.keys() : [])),
      source(informers.migrations, ({ object }) =>
        object.spec.virtualMachineName === undefined
          ? [`${object.metadata.namespace}/${object.spec.ruleGroupName}`]
          : ruleGroups.keysAbout(`${object.metadata.namespace}/${object.spec.virtualMachineName}`),
      ),
      source(informers.clusters, () => informers.ruleGroups.keys()),
    ],
    reconcile: (key, context) => reconcile(key, context, deps),
    log: deps.log,
    metrics: deps.metrics,
    clock: deps.clock,
  });
}

async function reconcile(
  key: ObjectKey,
  { signal, clock }: ReconcileContext,
  deps: ControllerDependencies,
): Promise<Result> {
  const { client, informers, inventories, ruleGroups } = deps;
  const group = informers.ruleGroups.get(key);
  const found = ruleGroups.of(key);
  if (group === undefined || found === undefined) return done;
  const members = [...found.model.members].filter((member) => informers.virtualMachines.get(member) !== undefined);
  const now = clock.now();
  const violations = violationsOf(found.model, (member) => inventories.hostsOf(member));
  const repair = found.inEffect ? repairOf(found.model, violations, deps, now) : NOTHING;
  const status: RuleGroupStatus = statusOf({
    group,
    ...found,
    members: members.toSorted(),
    violations,
    remedies: repair.remedies,
    hostCount: hostCountFor(members, informers, inventories),
    now,
  });
  await writeStatus(client, RuleGroup, group, status, { fieldManager: FIELD_MANAGERS.ruleGroup, signal });
  for (const migration of repair.make) await makeMigration(migration, deps, signal);
  if (violations.length === 0) return done;
  const leftMs = repair.untilMs === undefined ? AGAIN_MS : Math.max(0, repair.untilMs - now.getTime());
  return requeueAfter(Math.min(AGAIN_MS, leftMs), 'the rule is broken');
}

/** Hosts of all Clusters that the VMs belong to. */
function hostCountFor(
  members: readonly ObjectKey[],
  { virtualMachines }: ControllerDependencies['informers'],
  inventories: ControllerDependencies['inventories'],
): number {
  const choices = members.map((key) => clusterOf(virtualMachines.get(key)?.spec.clusterName, inventories.clusters));
  const clusters = new Set(choices.flatMap((choice) => (choice.ok ? [choice.cluster] : [])));
  return [...clusters].reduce((sum, cluster) => sum + inventories.of(cluster).hosts.length, 0);
}
