import { RuleGroup, type RuleGroupStatus } from '../../api/rule-group.ts';
import { clusterOf } from '../../core/cluster/membership.ts';
import type { ObjectKey } from '../../kube/index.ts';
import { Controller, done, type ReconcileContext, type Result, source } from '../../runtime/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { FIELD_MANAGERS } from '../field-managers.ts';
import { isAboutLabels, isAboutSpec, namespaceOf } from '../inventory/rule-groups.ts';
import { writeStatus } from '../write-status.ts';
import { statusOf } from './status.ts';

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
  { client, informers, inventories, ruleGroups }: ControllerDependencies,
): Promise<Result> {
  const group = informers.ruleGroups.get(key);
  const found = ruleGroups.of(key);
  if (group === undefined || found === undefined) return done;
  const members = [...found.model.members].filter((member) => informers.virtualMachines.get(member) !== undefined);
  const status: RuleGroupStatus = statusOf({
    group,
    ...found,
    members: members.toSorted(),
    hostsOf: (member) => inventories.hostsOf(member),
    hostCount: hostCountFor(members, informers, inventories),
    now: clock.now(),
  });
  await writeStatus(client, RuleGroup, group, status, { fieldManager: FIELD_MANAGERS.ruleGroup, signal });
  return done;
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
