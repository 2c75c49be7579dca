import { Cluster } from '../../api/cluster.ts';
import { Datastore } from '../../api/datastore.ts';
import { HAPolicy } from '../../api/ha-policy.ts';
import { Host } from '../../api/host.ts';
import { PortGroup } from '../../api/network.ts';
import { RuleGroup } from '../../api/rule-group.ts';
import { VirtualMachine } from '../../api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { Volume } from '../../api/volume.ts';
import { type ClusterChoice, clusterOf, membershipOf } from '../../core/cluster/membership.ts';
import { readCluster } from '../../core/cluster/read-cluster.ts';
import { FailoverReserve, failoverHostsOf, type Reserve, reserveOf } from '../../core/ha/admission.ts';
import { datastoreFaultOf, datastoresOf } from '../../core/ha/datastore-fault.ts';
import { policyOf } from '../../core/ha/policy.ts';
import { isProvenOff, shouldRun } from '../../core/ha/proof.ts';
import { byUrgency, type ProtectedVirtualMachine } from '../../core/ha/urgency.ts';
import type { Fleet } from '../../core/ha/what-if.ts';
import { cpuModelOf } from '../../core/imc/cpu-model.ts';
import { addResources, NO_RESOURCES } from '../../core/model/host.ts';
import { type Inventory, inventoryOf } from '../../core/model/inventory.ts';
import { isSilent, readHost } from '../../core/model/read-host.ts';
import { judgeGroups } from '../../core/rulegroup/conflicts.ts';
import { isSelected, readRuleGroup } from '../../core/rulegroup/read-rule-group.ts';
import { type VirtualMachineInput, wishOf } from '../../core/virtual-machine/next-step.ts';
import { hostOfStray } from '../../core/virtual-machine/stray.ts';
import { volumeUser } from '../../core/virtual-machine/volume-user.ts';
import { volumeNamesOf } from '../../core/virtual-machine/volumes.ts';
import { type KindRef, type KubeClient, KubeError, type KubeObject, keyOf } from '../../kube/index.ts';

const PAGE = 500;

type Parsed<T extends KubeObject> = KindRef<T> & { readonly object: { parse(value: unknown): T } };

/** The VM that is asked about. @throws KubeError */
export async function readVM(
  client: KubeClient,
  ref: { readonly namespace: string; readonly name: string },
): Promise<VirtualMachine> {
  return VirtualMachine.object.parse(await client.get(VirtualMachine, ref));
}

/** Its instance. Undefined: it has none. @throws KubeError */
export async function readInstance(
  client: KubeClient,
  ref: { readonly namespace: string; readonly name: string },
): Promise<VirtualMachineInstance | undefined> {
  try {
    return VirtualMachineInstance.object.parse(await client.get(VirtualMachineInstance, ref));
  } catch (error) {
    if (error instanceof KubeError && error.isNotFound()) return undefined;
    throw error;
  }
}

/** Everything that decides about one VM, read from the API as the user of the command. @throws KubeError */
export async function gather(client: KubeClient, vm: VirtualMachine): Promise<Omit<VirtualMachineInput, 'vm'>> {
  const { namespace, name } = vm.metadata;
  const [clusters, policies] = await Promise.all([all(client, Cluster), all(client, HAPolicy)]);
  const cluster = clusterOf(vm.spec.clusterName, clusters.map(readCluster));
  const itsCluster = clusters.find(({ metadata }) => cluster.ok && metadata.name === cluster.cluster);
  const choice = policyOf(itsCluster, (policy) => policies.find(({ metadata }) => metadata.name === policy));
  const reserve = reserveOf(itsCluster, choice);
  // What is kept for failovers hangs on all VMs of the Cluster.
  const scope = reserve.type === 'Disabled' ? namespace : undefined;
  const [hosts, datastores, instances, vms, volumes, portGroups, groups] = await Promise.all([
    all(client, Host),
    all(client, Datastore),
    all(client, VirtualMachineInstance),
    all(client, VirtualMachine, scope),
    all(client, Volume, scope),
    all(client, PortGroup, scope),
    all(client, RuleGroup, scope),
  ]);
  const world: World = {
    cluster,
    itsCluster,
    clusters,
    hosts,
    datastores,
    instances,
    vms,
    volumes,
    portGroups,
    groups,
  };
  const inventory = inventoryIn(world);
  const instance = instances.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  const itsHost = hosts.find(({ metadata }) => metadata.name === instance?.spec.host);
  return {
    ...needsOf(vm, world),
    instance,
    isProvenOff: instance !== undefined && isProvenOff(instance, itsHost),
    datastoreFault:
      instance &&
      datastoreFaultOf({
        vm,
        datastores: datastoresOf(
          instance,
          (volume) =>
            volumes.find(({ metadata }) => metadata.namespace === namespace && metadata.name === volume)?.spec
              .datastoreName,
        ),
        host: itsHost,
        hosts,
        nowMs: Date.now(),
        choice,
      }),
    inventory,
    admission:
      reserve.type === 'Disabled' ? undefined : new FailoverReserve(reserve, fleetIn(world, inventory, reserve)),
    strayOn: hostOfStray(vm.metadata.uid, hosts),
    // Whether it waits for others of its RuleGroup, its condition says.
    groupMigration: undefined,
    // What is done when its guest or its host fails decides nothing about where it is.
    vmFault: undefined,
    hostFault: undefined,
  };
}

/** What was read. */
interface World {
  readonly cluster: ClusterChoice;
  readonly itsCluster: Cluster | undefined;
  readonly clusters: readonly Cluster[];
  readonly hosts: readonly Host[];
  readonly datastores: readonly Datastore[];
  readonly instances: readonly VirtualMachineInstance[];
  readonly vms: readonly VirtualMachine[];
  readonly volumes: readonly Volume[];
  readonly portGroups: readonly PortGroup[];
  readonly groups: readonly RuleGroup[];
}

function inventoryIn({ cluster, clusters, hosts, datastores, instances, vms, groups }: World): Inventory {
  const models = clusters.map(readCluster);
  const datastoreNamed = new Map(datastores.map((each) => [each.metadata.name, each]));
  const hostNames = hosts.map(({ metadata }) => metadata.name);
  const judged = [...Map.groupBy(groups, ({ metadata }) => metadata.namespace)].flatMap(([namespace, ofNamespace]) => {
    const members = vms.filter(({ metadata }) => metadata.namespace === namespace);
    const read = ofNamespace.map((group) =>
      readRuleGroup(group, members.filter((each) => isSelected(group, each)).map(keyOf), hosts),
    );
    return judgeGroups(read, hostNames).inEffect;
  });
  return inventoryOf({
    hosts: hosts
      .filter(({ metadata }) => cluster.ok && membershipOf(metadata.labels, models).cluster === cluster.cluster)
      .map((host) => readHost(host, reservedOn(host, instances), (each) => datastoreNamed.get(each))),
    placements: new Map([
      ...vms.flatMap((each): [string, string[]][] => (each.status?.host ? [[keyOf(each), [each.status.host]]] : [])),
      ...instances.map((each): [string, string[]] => [keyOf(each), [each.spec.host]]),
    ]),
    groups: judged,
  });
}

function fleetIn(world: World, inventory: Inventory, reserve: Reserve): Fleet {
  const vmOf = new Map(world.vms.map((vm) => [keyOf(vm), vm]));
  const found = new Map<string, ProtectedVirtualMachine[]>();
  for (const instance of world.instances) {
    const vm = vmOf.get(keyOf(instance));
    if (!shouldRun(vm, instance)) continue;
    const wish = wishOf(vm, needsOf(vm, world));
    if (!wish.ok) continue;
    const each = { request: { ...wish.request, onlyHost: undefined }, priority: vm.spec.ha.restartPriority };
    const { host } = instance.spec;
    found.set(host, [...(found.get(host) ?? []), each].toSorted(byUrgency));
  }
  return {
    inventory,
    protectedOn: (host) => found.get(host) ?? [],
    dead: new Set(world.hosts.filter(isSilent).map(({ metadata }) => metadata.name)),
    failoverHosts: failoverHostsOf(reserve),
  };
}

function needsOf(
  vm: VirtualMachine,
  { cluster, itsCluster, datastores, instances, vms, volumes, portGroups }: World,
): Pick<VirtualMachineInput, 'cluster' | 'cpuModel' | 'references' | 'volumeHosts'> {
  const isOwn = ({ metadata }: KubeObject) => metadata.namespace === vm.metadata.namespace;
  const names = volumeNamesOf(vm);
  const needed = volumes.filter((volume) => isOwn(volume) && names.includes(volume.metadata.name));
  const isShared = (datastore: string) =>
    datastores.some(({ metadata, spec }) => metadata.name === datastore && spec.shared);
  return {
    cluster,
    cpuModel: cpuModelOf(itsCluster),
    references: {
      volumes: new Map(needed.map((volume) => [volume.metadata.name, volume])),
      portGroups: new Map(portGroups.filter(isOwn).map((group) => [group.metadata.name, group])),
      volumeUsers: new Map(
        names.flatMap((volume): [string, string][] => {
          const user = volumeUser(
            instances.filter((each) => isOwn(each) && each.spec.disks.some((disk) => disk.volumeName === volume)),
            vms.filter((each) => isOwn(each) && volumeNamesOf(each).includes(volume)),
          );
          return user === undefined ? [] : [[volume, user]];
        }),
      ),
    },
    volumeHosts: new Map(
      needed.flatMap(({ metadata, spec, status }): [string, string][] =>
        isShared(spec.datastoreName) || status?.host === undefined ? [] : [[metadata.name, status.host]],
      ),
    ),
  };
}

function reservedOn({ metadata }: Host, instances: readonly VirtualMachineInstance[]) {
  return instances
    .filter(({ spec }) => spec.host === metadata.name)
    .map(({ spec }) => spec.reserved)
    .reduce(addResources, NO_RESOURCES);
}

/** All objects of a kind, in pages. */
async function all<T extends KubeObject>(client: KubeClient, kind: Parsed<T>, namespace?: string): Promise<T[]> {
  const found: T[] = [];
  let continueToken: string | undefined;
  do {
    const page = await client.list(kind, {
      limit: PAGE,
      ...(namespace !== undefined && { namespace }),
      ...(continueToken !== undefined && { continueToken }),
    });
    found.push(...page.items.map((item) => kind.object.parse(item)));
    continueToken = page.continueToken;
  } while (continueToken !== undefined);
  return found;
}
