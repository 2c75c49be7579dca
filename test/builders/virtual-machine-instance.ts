import {
  type InstanceDisk,
  type InstanceNic,
  VirtualMachineInstance,
  type VirtualMachineInstanceSpec,
  type VirtualMachineInstanceStatus,
} from '../../src/api/virtual-machine-instance.ts';

/** A spec as the operator writes it for a small diskless VM on host-a, changed where the test cares. */
export function instanceSpec(changes: Partial<VirtualMachineInstanceSpec> = {}): VirtualMachineInstanceSpec {
  return VirtualMachineInstance.spec.parse({
    virtualMachineUID: '6d3c2c50-5b1b-4f0e-9d0e-0d8f3a1c7e01',
    host: 'host-a',
    epoch: 1,
    domainUUID: '0b9a4c1e-6a54-4e0b-8a53-2f1d5a7c9e10',
    powerState: 'Running',
    restartPolicy: 'Always',
    gracePeriodSeconds: 60,
    machineType: 'q35',
    cpu: { sockets: 1, coresPerSocket: 1, threads: 1 },
    memoryBytes: 64 * 2 ** 20,
    reserved: { cpuCores: 0, memoryBytes: 64 * 2 ** 20 },
    ...changes,
  });
}

export interface InstanceChanges {
  name?: string;
  namespace?: string;
  generation?: number;
  uid?: string;
  spec?: Partial<VirtualMachineInstanceSpec>;
  status?: VirtualMachineInstanceStatus;
}

export function instance(changes: InstanceChanges = {}): VirtualMachineInstance {
  return VirtualMachineInstance.object.parse({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'VirtualMachineInstance',
    metadata: {
      namespace: changes.namespace ?? 'default',
      name: changes.name ?? 'web',
      uid: changes.uid ?? 'a8f0e5d2-0c7b-4f7e-b3a7-1d2c3b4a5f60',
      generation: changes.generation ?? 1,
    },
    spec: instanceSpec(changes.spec),
    ...(changes.status && { status: changes.status }),
  });
}

export function disk(changes: Partial<InstanceDisk> = {}): InstanceDisk {
  const name = changes.name ?? 'root';
  return {
    name,
    volumeName: `web-${name}`,
    path: `/var/lib/drover/datastores/main/volumes/default/web-${name}.qcow2`,
    format: 'qcow2',
    target: 'vda',
    bus: 'virtio',
    cache: 'none',
    readOnly: false,
    serial: name,
    ...changes,
  };
}

export function nic(changes: Partial<InstanceNic> = {}): InstanceNic {
  return { name: 'net', mac: '52:54:00:12:34:56', virtualSwitchName: 'lan', model: 'virtio', ...changes };
}
