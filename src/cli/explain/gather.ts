import { Cluster } from '../../api/cluster.ts';
import { Datastore } from '../../api/datastore.ts';
import { Host } from '../../api/host.ts';
import { PortGroup } from '../../api/network.ts';
import { RuleGroup } from '../../api/rule-group.ts';
import { VirtualMachine } from '../../api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { Volume } from '../../api/volume.ts';
import { clusterOf, membershipOf } from '../../core/cluster/membership.ts';
import { readCluster } from '../../core/cluster/read-cluster.ts';
import { proofFor } from '../../core/ha/proof.ts';
import { cpuModelOf } from '../../core/imc/cpu-model.ts';
import { addResources, NO_RESOURCES } from '../../core/model/host.ts';
import { inventoryOf } from '../../core/model/inventory.ts';
import { readHost } from '../../core/model/read-host.ts';
import { judgeGroups } from '../../core/rulegroup/conflicts.ts';
import { isSelected, readRuleGroup } from '../../core/rulegroup/read-rule-group.ts';
import type { VirtualMachineInput } from '../../core/virtual-machine/next-step.ts';
import { volumeUser } from '../../core/virtual-machine/volume-user.ts';
import { volumeNamesOf } from '../../core/virtual-machine/volumes.ts';
import { type KindRef, type KubeClient, type KubeObject, keyOf } from '../../kube/index.ts';

const PAGE = 500;

type Parsed<T extends KubeObject> = KindRef<T> & { readonly object: { parse(value: unknown): T } };

/** Everything that decides about one VM, read from the API as the user of the command. @throws KubeError */
export async function gather(
  client: KubeClient,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<{ readonly vm: VirtualMachine; readonly input: Omit<VirtualMachineInput, 'vm'> }> {
  const vm = VirtualMachine.object.parse(await client.get(VirtualMachine, { namespace, name }));
  const [clusters, hosts, datastores, instances, vms, volumes, portGroups, groups] = await Promise.all([
    all(client, Cluster),
    all(client, Host),
    all(client, Datastore),
    all(client, VirtualMachineInstance),
    all(client, VirtualMachine, namespace),
    all(client, Volume, namespace),
    all(client, PortGroup, namespace),
    all(client, RuleGroup, namespace),
  ]);
  const models = clusters.map(readCluster);
  const cluster = clusterOf(vm.spec.clusterName, models);
  const own = instances.filter(({ metadata }) => metadata.namespace === namespace);
  const datastoreNamed = new Map(datastores.map((each) => [each.metadata.name, each]));
  const ruleGroups = groups.map((group) =>
    readRuleGroup(group, vms.filter((each) => isSelected(group, each)).map(keyOf), hosts),
  );
  const inventory = inventoryOf({
    hosts: hosts
      .filter(({ metadata }) => cluster.ok && membershipOf(metadata.labels, models).cluster === cluster.cluster)
      .map((host) => readHost(host, reservedOn(host, instances), (each) => datastoreNamed.get(each))),
    placements: new Map([
      ...vms.flatMap((each): [string, string[]][] => (each.status?.host ? [[keyOf(each), [each.status.host]]] : [])),
      ...instances.map((each): [string, string[]] => [keyOf(each), [each.spec.host]]),
    ]),
    groups: judgeGroups(
      ruleGroups,
      hosts.map(({ metadata }) => metadata.name),
    ).inEffect,
  });
  const needed = volumes.filter((volume) => volumeNamesOf(vm).includes(volume.metadata.name));
  const instance = own.find(({ metadata }) => metadata.name === name);
  const itsHost = hosts.find(({ metadata }) => metadata.name === instance?.spec.host);
  return {
    vm,
    input: {
      instance,
      isProvenOff: instance !== undefined && proofFor(instance, itsHost) !== undefined,
      cluster,
      cpuModel: cpuModelOf(clusters.find(({ metadata }) => cluster.ok && metadata.name === cluster.cluster)),
      inventory,
      references: {
        volumes: new Map(needed.map((volume) => [volume.metadata.name, volume])),
        portGroups: new Map(portGroups.map((group) => [group.metadata.name, group])),
        volumeUsers: new Map(
          volumeNamesOf(vm).flatMap((volume): [string, string][] => {
            const user = volumeUser(
              own.filter(usesOf(volume)),
              vms.filter((each) => volumeNamesOf(each).includes(volume)),
            );
            return user === undefined ? [] : [[volume, user]];
          }),
        ),
      },
      // Whether it waits for others of its RuleGroup, its condition says.
      groupMigration: undefined,
      volumeHosts: new Map(
        needed.flatMap(({ metadata, spec, status }): [string, string][] => {
          const isShared = datastoreNamed.get(spec.datastoreName)?.spec.shared ?? false;
          return isShared || status?.host === undefined ? [] : [[metadata.name, status.host]];
        }),
      ),
    },
  };
}

function usesOf(volume: string) {
  return ({ spec }: VirtualMachineInstance) => spec.disks.some((disk) => disk.volumeName === volume);
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
