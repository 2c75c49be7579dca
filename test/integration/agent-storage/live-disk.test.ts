import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { inspectImage } from '../../../src/host/index.ts';
import { loadConfig } from '../../../src/kube/index.ts';
import { disk, instanceSpec } from '../../builders/virtual-machine-instance.ts';
import { installCrds } from '../api/install-crds.ts';
import { sharedClient } from '../control-plane.ts';
import { eventually } from '../eventually.ts';
import { diskXml } from '../libvirt/builders.ts';
import { startDomain, useLibvirt } from '../libvirt/context.ts';
import { Administrator, StorageHost, testDirectory, uniqueName } from './storage-host.ts';

const MIB = 2 ** 20;
const admin = new Administrator(sharedClient());
const context = useLibvirt();
let agent: StorageHost;
let datastoreName: string;

beforeAll(async () => {
  await installCrds(admin.client);
  const connection = loadConfig({ kubeconfigPath: inject('kubeconfig') });
  agent = await StorageHost.start({ connection, libvirt: context.libvirt });
  const { path, remove } = testDirectory();
  datastoreName = await admin.datastore(path, { hosts: [agent] });
  admin.cleanUp(remove);
  admin.cleanUp(() => agent.stop());
});

afterAll(() => admin.undoAll());

describe('a Volume that a running VM of this host uses', () => {
  it('grows under the guest, and is not deleted before the VM has let go of it', async () => {
    const volume = await admin.volume({ datastoreName, size: '1Mi' }, agent.host);
    const { path = '' } = await admin.volumePhase(volume, 'Ready');
    const uuid = 'd0000000-0000-4000-8000-0000000000b2';
    const vm = uniqueName('web');
    const spec = instanceSpec({
      host: agent.host,
      domainUUID: uuid,
      disks: [disk({ volumeName: volume, path, target: 'vda' })],
    });
    const instance = await admin.create(VirtualMachineInstance, { metadata: { name: vm, namespace: 'default' }, spec });
    await eventually('the agent knows the VM', () => agent.informers.instances.find(instance.metadata));
    const dom = await startDomain(context.libvirt, { name: vm, uuid, devices: diskXml(path) });

    await admin.patchSpec(volume, { size: '3Mi' });
    await admin.volumeWhere(volume, '3 MiB', ({ capacityBytes }) => capacityBytes === 3 * MIB);
    expect((await inspectImage(path, { inUse: true })).virtualSizeBytes).toBe(3 * MIB);
    // The guest's device has grown, not only the file: an offline resize would have been refused by QEMU's lock.
    const { retStats } = await context.libvirt.call('connectGetAllDomainStats', { doms: [dom] });
    expect(Number(retStats[0]?.params['block.0.capacity'])).toBe(3 * MIB);

    await admin.delete(volume);
    const status = await admin.volumeReason(volume, 'InUse');
    expect(status.conditions[0]?.message).toContain(`"${vm}"`);
    await context.libvirt.call('domainDestroyFlags', { dom });
    await admin.client.delete(VirtualMachineInstance, instance.metadata);
    await admin.volumePhase(volume, 'Deleted');
  });
});
