import { API_VERSION } from '../../src/api/common/names.ts';
import { PortGroup } from '../../src/api/network.ts';
import { VirtualMachine } from '../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../src/api/virtual-machine-instance.ts';
import { Volume } from '../../src/api/volume.ts';

interface Overrides {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** Objects as the API server would return them: defaults filled in by the schema itself. */
export function virtualMachine({ metadata, spec, status }: Overrides = {}): VirtualMachine {
  return VirtualMachine.object.parse({
    apiVersion: API_VERSION,
    kind: 'VirtualMachine',
    metadata: {
      name: 'vm',
      namespace: 'default',
      uid: 'e7a0c5ae-0000-4000-8000-000000000001',
      generation: 1,
      ...metadata,
    },
    spec: { memory: { size: '1Gi' }, ...spec },
    ...(status && { status }),
  });
}

export function volume(name: string, { metadata, spec, status }: Overrides = {}): Volume {
  return Volume.object.parse({
    apiVersion: API_VERSION,
    kind: 'Volume',
    metadata: { name, namespace: 'default', uid: `uid-of-${name}`, generation: 1, ...metadata },
    spec: { datastoreName: 'shared', size: '1Gi', ...spec },
    ...(status && { status }),
  });
}

/** A Volume whose data is there. */
export function readyVolume(name: string, overrides: Overrides = {}): Volume {
  const status = { phase: 'Ready', host: 'h1', path: `/ds/volumes/default/${name}.qcow2`, format: 'qcow2' };
  return volume(name, { ...overrides, status: { ...status, ...overrides.status } });
}

export function portGroup(name: string, { metadata, spec }: Overrides = {}): PortGroup {
  return PortGroup.object.parse({
    apiVersion: API_VERSION,
    kind: 'PortGroup',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { virtualSwitchName: 'lan', ...spec },
  });
}

/** The instance of {@link virtualMachine} on host h1, first placement. */
export function instance({ metadata, spec, status }: Overrides = {}): VirtualMachineInstance {
  const uid = 'e7a0c5ae-0000-4000-8000-000000000001';
  return VirtualMachineInstance.object.parse({
    apiVersion: API_VERSION,
    kind: 'VirtualMachineInstance',
    metadata: { name: 'vm', namespace: 'default', uid: 'uid-of-instance', generation: 1, ...metadata },
    spec: {
      virtualMachineUID: uid,
      host: 'h1',
      epoch: 1,
      domainUUID: uid,
      powerState: 'Running',
      restartPolicy: 'Always',
      gracePeriodSeconds: 60,
      machineType: 'q35',
      cpu: { sockets: 1, coresPerSocket: 1, threads: 1 },
      memoryBytes: 2 ** 30,
      reserved: { cpuCores: 0, memoryBytes: 2 ** 30 + 74 * 2 ** 20 },
      ...spec,
    },
    ...(status && { status }),
  });
}
