import { Cluster } from '../../src/api/cluster.ts';
import type { Host } from '../../src/api/host.ts';
import type { GuestCpu } from '../../src/api/virtual-machine-instance.ts';
import type { MigrationSituation } from '../../src/core/migration/preconditions.ts';
import type { HostModel } from '../../src/core/model/host.ts';
import { inventoryOf } from '../../src/core/model/inventory.ts';
import type { RuleGroupModel } from '../../src/core/model/rule-group.ts';
import { host } from './host-model.ts';
import { hostObject } from './migration.ts';
import { instance, readyVolume, virtualMachine } from './objects.ts';

const NO_MATCH = { ok: true, model: undefined } as const;

/** What is unusual about a migration. */
export interface GivenMigration {
  readonly vm?: Parameters<typeof virtualMachine>[0];
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly phase?: string;
  readonly cpu?: GuestCpu;
  readonly target?: string | undefined;
  readonly models?: Readonly<Record<string, Partial<HostModel>>>;
  readonly hosts?: Readonly<Record<string, Host>>;
  readonly groups?: readonly RuleGroupModel[];
  readonly situation?: Partial<MigrationSituation>;
}

/** A VM that runs on h1, with a disk on `shared` and a NIC on `lan`, and two more hosts that can take it. */
export function migrationSituation({
  vm,
  spec,
  phase = 'Running',
  cpu,
  models = {},
  hosts = {},
  groups = [],
  situation,
  ...rest
}: GivenMigration = {}): MigrationSituation {
  const names = ['h1', 'h2', 'h3'];
  const disk = {
    name: 'root',
    volumeName: 'root',
    path: '/ds/root',
    format: 'qcow2',
    target: 'vda',
    bus: 'virtio',
    cache: 'none',
    readOnly: false,
    serial: 'root',
  };
  const nic = { name: 'lan', mac: '52:54:00:12:34:56', virtualSwitchName: 'lan', model: 'virtio' };
  return {
    wish: {
      virtualMachineName: 'vm',
      targetHost: 'target' in rest ? rest.target : 'h2',
      uid: 'm-1',
      isEvacuation: false,
    },
    virtualMachine: {
      vm: virtualMachine(vm ?? {}),
      instance: instance({
        spec: { disks: [disk], nics: [nic], ...spec },
        status: { conditions: [], host: 'h1', phase, observedEpoch: 1, ...(cpu && { cpu }) },
      }),
      isProvenOff: false,
      datastoreFault: undefined,
      references: { volumes: new Map([['root', readyVolume('root')]]), portGroups: new Map(), volumeUsers: new Map() },
      cluster: { ok: true, cluster: 'main' },
      cpuModel: NO_MATCH,
      inventory: inventoryOf({
        hosts: names.map((name) => host(name, models[name])),
        placements: new Map([['default/vm', ['h1']]]),
        groups,
      }),
      admission: undefined,
      vmFault: undefined,
      hostFault: undefined,
      groupMigration: undefined,
      volumeHosts: new Map(),
      strayOn: undefined,
    },
    cluster: Cluster.object.parse({
      apiVersion: 'drover.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'main', uid: 'c', generation: 1 },
      spec: {},
    }),
    together: undefined,
    groupMigration: undefined,
    findHost: (name) => hosts[name] ?? (names.includes(name) ? hostObject(name) : undefined),
    ...situation,
  };
}
