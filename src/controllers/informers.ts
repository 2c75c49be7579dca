import { Cluster } from '../api/cluster.ts';
import { Datastore } from '../api/datastore.ts';
import { HAPolicy } from '../api/ha-policy.ts';
import { Host } from '../api/host.ts';
import { Image } from '../api/image.ts';
import { Migration } from '../api/migration.ts';
import { PortGroup, VirtualSwitch } from '../api/network.ts';
import { RuleGroup } from '../api/rule-group.ts';
import { VirtualMachine } from '../api/virtual-machine.ts';
import { VirtualMachineInstance } from '../api/virtual-machine-instance.ts';
import { Volume } from '../api/volume.ts';
import { isRecovering } from '../core/ha/recovery.ts';
import { volumeNamesOf } from '../core/virtual-machine/volumes.ts';
import type { Clock, KubeApi } from '../kube/index.ts';
import { typedInformer } from '../runtime/typed-informer.ts';
import { FIELD_MANAGERS } from './field-managers.ts';
import { leaseInformer } from './host/lease.ts';
import { nodeInformer } from './host/node.ts';

/** Index of VirtualMachines and instances by the key of each Volume they name, make or have. */
export const BY_VOLUME = 'volume';
/** Index of instances by host. */
export const BY_HOST = 'host';
/** Index of instances by the host that they are being moved to. */
export const BY_TARGET = 'target';
/** Index of instances whose VM a failover has placed, and that do not run yet; all under the empty key. */
export const RECOVERING = 'recovering';
/** Index of VirtualMachines by the key of each VM that they depend on. */
export const BY_DEPENDENCY = 'dependency';
/** Index of instances by the key of the Migration that they are in. */
export const BY_MIGRATION = 'migration';
/** Index of Migrations by the key of the RuleGroup that they move. */
export const BY_GROUP = 'ruleGroup';
/** Index of Migrations of RuleGroups by the key of each VM that they move. */
export const BY_GROUP_MEMBER = 'groupMember';
/** Index of Migrations by the key of their VM. */
export const BY_VM = 'virtualMachine';
/** Index of Hosts by the UUID of each domain of Drover that runs there without an intent. */
export const BY_STRAY = 'stray';
/** Index of VirtualMachines by the key of each PortGroup they name. */
export const BY_PORT_GROUP = 'portGroup';

export type Informers = ReturnType<typeof createInformers>;

/** One list-and-watch of every kind that the operator reads, shared by all controllers. */
export function createInformers(client: KubeApi, clock: Clock, onError: (error: unknown) => void) {
  const common = { client, clock, onError };
  return {
    clusters: typedInformer(Cluster, { ...common, fieldManagers: [FIELD_MANAGERS.cluster] }),
    datastores: typedInformer(Datastore, { ...common, fieldManagers: [FIELD_MANAGERS.datastore] }),
    haPolicies: typedInformer(HAPolicy, { ...common, fieldManagers: [FIELD_MANAGERS.haPolicy] }),
    hosts: typedInformer(Host, {
      ...common,
      fieldManagers: [
        FIELD_MANAGERS.host,
        FIELD_MANAGERS.cpuCompatible,
        FIELD_MANAGERS.evacuation,
        FIELD_MANAGERS.hostCertificate,
        FIELD_MANAGERS.hostWatch,
        FIELD_MANAGERS.fencingReady,
      ],
      indexes: { [BY_STRAY]: ({ status }) => status?.strayDomains.map(({ uuid }) => uuid) ?? [] },
    }),
    images: typedInformer(Image, { ...common, fieldManagers: [FIELD_MANAGERS.image] }),
    instances: typedInformer(VirtualMachineInstance, {
      ...common,
      fieldManagers: [],
      indexes: {
        [BY_HOST]: ({ spec }) => [spec.host],
        [BY_TARGET]: ({ spec }) => (spec.migration === undefined ? [] : [spec.migration.targetHost]),
        [RECOVERING]: (instance) => (isRecovering(instance) ? [''] : []),
        [BY_MIGRATION]: ({ metadata, spec }) =>
          spec.migration === undefined ? [] : [`${metadata.namespace}/${spec.migration.name}`],
        [BY_VOLUME]: ({ metadata, spec }) => spec.disks.map(({ volumeName }) => `${metadata.namespace}/${volumeName}`),
      },
    }),
    leases: leaseInformer(common),
    migrations: typedInformer(Migration, {
      ...common,
      fieldManagers: [FIELD_MANAGERS.migration],
      indexes: {
        [BY_VM]: ({ metadata, spec }) =>
          spec.virtualMachineName === undefined ? [] : [`${metadata.namespace}/${spec.virtualMachineName}`],
        [BY_GROUP]: ({ metadata, spec }) =>
          spec.ruleGroupName === undefined ? [] : [`${metadata.namespace}/${spec.ruleGroupName}`],
        [BY_GROUP_MEMBER]: ({ metadata, status }) =>
          (status?.members ?? []).map(({ virtualMachine }) => `${metadata.namespace}/${virtualMachine}`),
      },
    }),
    nodes: nodeInformer(common),
    portGroups: typedInformer(PortGroup, { ...common, fieldManagers: [FIELD_MANAGERS.portGroup] }),
    ruleGroups: typedInformer(RuleGroup, { ...common, fieldManagers: [FIELD_MANAGERS.ruleGroup] }),
    switches: typedInformer(VirtualSwitch, { ...common, fieldManagers: [FIELD_MANAGERS.virtualSwitch] }),
    virtualMachines: typedInformer(VirtualMachine, {
      ...common,
      fieldManagers: [FIELD_MANAGERS.virtualMachine],
      indexes: {
        [BY_VOLUME]: (vm) => volumeNamesOf(vm).map((name) => `${vm.metadata.namespace}/${name}`),
        [BY_DEPENDENCY]: ({ metadata, spec }) => spec.ha.dependsOn.map(({ name }) => `${metadata.namespace}/${name}`),
        [BY_PORT_GROUP]: (vm) => vm.spec.nics.map(({ portGroup }) => `${vm.metadata.namespace}/${portGroup}`),
      },
    }),
    volumes: typedInformer(Volume, { ...common, fieldManagers: [FIELD_MANAGERS.volume] }),
  };
}
