import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedClient } from '../control-plane.ts';
import { installCrds } from './install-crds.ts';
import { type AnyObject, kindNamed, verdictOnCreate, verdictOnReplace } from './verdict.ts';

const client = sharedClient();
beforeAll(() => installCrds(client));
afterAll(() => client.close());

const NAME_253 = 'n'.repeat(253);
const LONG_QUANTITY = `${'0'.repeat(28)}20Gi`;
/** A string of a list, different from the others and of the wanted length. */
const unique = (index: number, length: number) => `e${index}`.padEnd(length, 'x');
const list = <T>(count: number, entry: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => entry(index));

const hostSelector = {
  matchLabels: Object.fromEntries(list(64, (index) => [unique(index, 63), unique(index, 63)])),
  matchExpressions: list(32, (index) => ({
    key: unique(index, 63),
    operator: 'In',
    values: list(64, (value) => unique(value, 63)),
  })),
};

const mac = (index: number) => `52:54:00:00:00:${index.toString(16).padStart(2, '0')}`;

/** As big as the schema allows in everything that a rule looks at. */
const VM: AnyObject = {
  apiVersion: 'drover.dev/v1alpha1',
  kind: 'VirtualMachine',
  metadata: { name: 'v'.repeat(63) },
  spec: {
    clusterName: NAME_253,
    hostSelector,
    memory: { size: LONG_QUANTITY },
    cpu: { reservation: '0'.repeat(32) },
    disks: list(24, (index) => ({
      name: unique(index, 40),
      ...(index % 2 === 0
        ? { volumeName: unique(index, 253) }
        : { volumeTemplate: { datastoreName: NAME_253, size: LONG_QUANTITY, source: { imageName: NAME_253 } } }),
    })),
    nics: list(10, (index) => ({ name: unique(index + 100, 40), portGroup: NAME_253, mac: mac(index) })),
    bootOrder: list(16, (index) => unique(index, 40)),
    cloudInit: { userData: 'u'.repeat(65536), networkData: 'n'.repeat(65536) },
  },
};

const INSTANCE: AnyObject = {
  apiVersion: 'drover.dev/v1alpha1',
  kind: 'VirtualMachineInstance',
  metadata: { name: 'v'.repeat(63) },
  spec: {
    virtualMachineUID: 'u'.repeat(64),
    host: NAME_253,
    epoch: Number.MAX_SAFE_INTEGER,
    domainUUID: '4f1c2d3e-5b6a-4789-8abc-0123456789ab',
    powerState: 'Running',
    restartPolicy: 'Always',
    gracePeriodSeconds: 3600,
    machineType: 'm'.repeat(64),
    cpu: { sockets: 255, coresPerSocket: 1, threads: 1 },
    memoryBytes: 2 ** 44,
    reserved: { cpuCores: 255, memoryBytes: 2 ** 44 },
    disks: list(24, (index) => ({
      name: unique(index, 40),
      volumeName: unique(index, 253),
      path: `/${'p'.repeat(4095)}`,
      format: 'qcow2',
      target: 'vdabcdef',
      bus: 'virtio',
      cache: 'none',
      readOnly: false,
      serial: unique(index, 36),
      bootOrder: index + 1,
    })),
    nics: list(10, (index) => ({
      name: unique(index, 40),
      mac: mac(index),
      virtualSwitchName: NAME_253,
      vlan: 4094,
      model: 'virtio',
    })),
    cloudInit: {
      instanceID: 'i'.repeat(64),
      hostname: 'h'.repeat(63),
      userData: 'u'.repeat(65536),
      networkData: 'n'.repeat(65536),
      sealedUserData: { source: 's'.repeat(512), box: 'b'.repeat(400_000) },
    },
  },
};

const CLUSTER: AnyObject = {
  apiVersion: 'drover.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name: 'largest' },
  spec: { hostSelector },
};

describe('the cost of the rules', () => {
  it.each([VM, INSTANCE, CLUSTER])(
    'lets the largest $kind be created and changed within the budget',
    async (object) => {
      expect(await verdictOnCreate(client, object)).toEqual([]);
      const ref = kindNamed(String(object['kind']));
      const name = `largest-${ref.plural}`;
      const metadata = { name, ...(ref.namespaced && { namespace: 'default' }) };
      const stored = { apiVersion: String(object['apiVersion']), kind: ref.kind, metadata, spec: object['spec'] };
      await client.create(ref, stored);
      expect(await verdictOnReplace(client, object, name)).toEqual([]);
    },
  );
});
