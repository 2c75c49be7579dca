import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { Volume } from '../../api/volume.ts';
import { type ClusterChoice, clusterOf } from '../../core/cluster/membership.ts';
import {
  type DatastoreFault,
  datastoreFaultOf,
  datastoresOf,
  hasLostDatastore,
} from '../../core/ha/datastore-fault.ts';
import { vmFaultPolicy } from '../../core/ha/guest-fault.ts';
import { hostFaultPolicy } from '../../core/ha/host-fault.ts';
import { policyOf } from '../../core/ha/policy.ts';
import { isProvenOff } from '../../core/ha/proof.ts';
import { cpuModelOf } from '../../core/imc/cpu-model.ts';
import type { VirtualMachineInput } from '../../core/virtual-machine/next-step.ts';
import { hostOfStray } from '../../core/virtual-machine/stray.ts';
import { volumeUser } from '../../core/virtual-machine/volume-user.ts';
import { volumeNamesOf } from '../../core/virtual-machine/volumes.ts';
import { type ObjectKey, refOfKey } from '../../kube/index.ts';
import type { ControllerDependencies } from '../deps.ts';
import { BY_STRAY, BY_VOLUME, type Informers } from '../informers.ts';
import { groupMigrationOf } from '../inventory/group-migrations.ts';

/** Everything that one pass over a VirtualMachine looks at, from the caches. */
export function gather(
  key: ObjectKey,
  { informers, inventories, clock }: Pick<ControllerDependencies, 'informers' | 'inventories' | 'clock'>,
): VirtualMachineInput {
  const vm = informers.virtualMachines.get(key);
  const instance = informers.instances.get(key);
  const cluster = clusterOf(vm?.spec.clusterName, inventories.clusters);
  const clusterName = cluster.ok ? cluster.cluster : undefined;
  const choice = policyOf(informers.clusters.get(clusterName ?? ''), (name) => informers.haPolicies.get(name));
  return {
    ...gatherNeeds(key, vm, cluster, informers),
    vm,
    instance,
    vmFault: vmFaultPolicy(vm, choice),
    hostFault: hostFaultPolicy(vm, choice),
    isProvenOff: instance !== undefined && isProvenOff(instance, informers.hosts.get(instance.spec.host)),
    datastoreFault: vm && instance && datastoreFault(vm, instance, clusterName, informers, clock),
    inventory: inventories.of(clusterName),
    admission: inventories.reserves.of(clusterName),
    strayOn: vm && hostOfStray(vm.metadata.uid, informers.hosts.byIndex(BY_STRAY, vm.metadata.uid)),
    groupMigration: groupMigrationOf(key, { informers, inventories })?.metadata.name,
  };
}

/** What the VM's host has lost of its datastores, and what its policy makes of that. */
export function datastoreFault(
  vm: VirtualMachine,
  instance: VirtualMachineInstance,
  cluster: string | undefined,
  { clusters, haPolicies, hosts, volumes }: Informers,
  clock: ControllerDependencies['clock'],
): DatastoreFault | undefined {
  const { namespace } = instance.metadata;
  const host = hosts.get(instance.spec.host);
  if (host === undefined || !hasLostDatastore(host)) return undefined;
  return datastoreFaultOf({
    vm,
    datastores: datastoresOf(instance, (volume) => volumes.get(`${namespace}/${volume}`)?.spec.datastoreName),
    host,
    hosts: hosts.list(),
    nowMs: clock.now().getTime(),
    choice: policyOf(cluster === undefined ? undefined : clusters.get(cluster), (name) => haPolicies.get(name)),
  });
}

/** What a VM needs wherever it runs. */
export function gatherNeeds(
  key: ObjectKey,
  vm: VirtualMachine | undefined,
  cluster: ClusterChoice,
  informers: Informers,
): Pick<VirtualMachineInput, 'cluster' | 'cpuModel' | 'references' | 'volumeHosts'> {
  const { namespace = '' } = refOfKey(key);
  const names = vm === undefined ? [] : volumeNamesOf(vm);
  const volumes = new Map(named(names, (name) => informers.volumes.get(`${namespace}/${name}`)));
  const groups = vm?.spec.nics.map(({ portGroup }) => portGroup) ?? [];
  return {
    references: {
      volumes,
      portGroups: new Map(named(groups, (name) => informers.portGroups.get(`${namespace}/${name}`))),
      volumeUsers: new Map(named(names, (name) => userOfVolume(namespace, name, informers))),
    },
    cluster,
    cpuModel: cpuModelOf(cluster.ok ? informers.clusters.get(cluster.cluster) : undefined),
    volumeHosts: new Map(named([...volumes.keys()], (name) => hostOfData(volumes.get(name), informers))),
  };
}

/** The VirtualMachine that may use the Volume. Absent: none names it. */
export function userOfVolume(
  namespace: string,
  volume: string,
  informers: Pick<Informers, 'virtualMachines' | 'instances'>,
): string | undefined {
  const key = `${namespace}/${volume}`;
  return volumeUser(informers.instances.byIndex(BY_VOLUME, key), informers.virtualMachines.byIndex(BY_VOLUME, key));
}

function hostOfData(volume: Volume | undefined, { datastores }: Pick<Informers, 'datastores'>): string | undefined {
  const shared = datastores.get(volume?.spec.datastoreName ?? '')?.spec.shared ?? false;
  return shared ? undefined : volume?.status?.host;
}

function named<T>(names: readonly string[], find: (name: string) => T | undefined): [string, T][] {
  return names.flatMap((name): [string, T][] => {
    const found = find(name);
    return found === undefined ? [] : [[name, found]];
  });
}
