import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION } from '../../../src/api/common/names.ts';
import { Datastore } from '../../../src/api/datastore.ts';
import { Image } from '../../../src/api/image.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { Volume } from '../../../src/api/volume.ts';
import { condition, conditionOf, isWaiting, World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await World.open('operator-volume');
  world.startOperator();
});
afterAll(() => world.close());

const template = { datastoreName: 'shared', size: '1Gi' };

/** What the agent of the Volume's host writes when the data is there. */
async function agentMakes(name: string): Promise<Volume> {
  const volume = await world.when(Volume, name, 'to have a host', ({ status }) => status?.host !== undefined);
  const status = {
    phase: 'Ready',
    path: `/ds/shared/volumes/default/${name}.qcow2`,
    format: 'qcow2',
    capacityBytes: 2 ** 30,
    conditions: [condition('Ready', 'True')],
  };
  await writeStatus(name, status);
  return volume;
}

async function writeStatus(name: string, status: object): Promise<void> {
  const object = { apiVersion: API_VERSION, kind: 'Volume', metadata: { name, namespace: 'default' }, status };
  await world.client.applyStatus(Volume, object, { fieldManager: 'test-agent', force: true });
}

describe('a Datastore', () => {
  it('that is shared takes the first identity seen, and leaves out a host whose directory holds another', async () => {
    await world.addDatastore('shared');
    await world.addHost('h1');
    await world.when(Datastore, 'shared', 'to be seen', ({ status }) => status?.hosts?.length === 1);
    const other = { name: 'shared', available: true, id: 'another directory', message: '' };
    await world.addHost('h2', { datastores: [other] });
    const datastore = await world.when(
      Datastore,
      'shared',
      'to tell',
      ({ status }) => status?.conditions.some(({ reason }) => reason === 'PartlyVisible') ?? false,
    );
    expect(datastore.status).toMatchObject({ id: 'one', hosts: ['h1'] });
    expect(conditionOf(datastore, 'Ready')?.message).toContain('h2: its directory /ds/shared is not the one');
  });
});

describe('a templated Volume', () => {
  it('is made protected, and worked on by a host that sees its datastore', async () => {
    await world.addVM('db', { disks: [{ name: 'root', volumeTemplate: template }] });
    const volume = await agentMakes('db-root');
    expect(volume.metadata.finalizers.toSorted()).toEqual(['drover.dev/cleanup', 'drover.dev/volume-protection']);
    expect(volume.status?.host).toBe('h1');
    const { spec } = await world.instanceWhen('db', 'to be made');
    expect(spec).toMatchObject({
      host: 'h1',
      disks: [{ volumeName: 'db-root', path: '/ds/shared/volumes/default/db-root.qcow2' }],
    });
  });

  it('belongs to one VM when another names it', async () => {
    await world.addVM('thief', { disks: [{ name: 'root', volumeName: 'db-root' }] });
    const thief = await world.vmWhen('thief', 'to wait', isWaiting);
    expect(conditionOf(thief, 'Scheduled')).toMatchObject({
      reason: 'VolumeInUse',
      message: 'disk "root" needs Volume "db-root", which belongs to VirtualMachine "db"',
    });
    await world.client.delete(VirtualMachine, thief.metadata);
  });

  it('keeps its data while its deleted VM still runs, and is gone after it', async () => {
    await world.client.delete(VirtualMachine, { namespace: 'default', name: 'db' });
    const held = await world.when(
      Volume,
      'db-root',
      'to be deleted',
      ({ metadata }) => metadata.deletionTimestamp !== undefined,
    );
    expect(held.metadata.finalizers).toContain('drover.dev/volume-protection');
    const stopping = await world.instanceWhen('db', 'to be turned off', ({ spec }) => spec.powerState === 'Off');
    await world.agentReports(stopping, 'Off');
    await world.gone(VirtualMachineInstance, 'db');
    await world.when(
      Volume,
      'db-root',
      'to lose its protection',
      ({ metadata }) => !metadata.finalizers.includes('drover.dev/volume-protection'),
    );
    await writeStatus('db-root', { phase: 'Deleted' });
    await world.gone(Volume, 'db-root');
  });

  it('of a deleted VM is not held by one of the same name that is made meanwhile, which then gets one of its own', async () => {
    await world.addVM('again', { disks: [{ name: 'root', volumeTemplate: template }] });
    const first = await agentMakes('again-root');
    await world.agentReports(await world.instanceWhen('again', 'to be made'), 'Running');
    await world.client.delete(VirtualMachine, { namespace: 'default', name: 'again' });
    await world.gone(VirtualMachine, 'again');
    await world.addVM('again', { disks: [{ name: 'root', volumeTemplate: template }] });
    const waiting = await world.vmWhen('again', 'to wait', isWaiting);
    expect(conditionOf(waiting, 'Scheduled')?.status).toBe('False');
    await world.agentReports(
      await world.instanceWhen('again', 'to stop', ({ spec }) => spec.powerState === 'Off'),
      'Off',
    );
    await world.when(
      Volume,
      'again-root',
      'to lose its protection',
      ({ metadata }) => !metadata.finalizers.includes('drover.dev/volume-protection'),
    );
    await writeStatus('again-root', { phase: 'Deleted' });
    const second = await world.when(Volume, 'again-root', 'to be another', ({ metadata }) => {
      return metadata.uid !== first.metadata.uid;
    });
    expect(second.metadata.deletionTimestamp).toBeUndefined();
  });

  it('stays when its template says Retain', async () => {
    await world.addVM('keeper', {
      disks: [{ name: 'root', volumeTemplate: { ...template, reclaimPolicy: 'Retain' } }],
    });
    await agentMakes('keeper-root');
    await world.agentReports(await world.instanceWhen('keeper', 'to be made'), 'Running');
    await world.client.delete(VirtualMachine, { namespace: 'default', name: 'keeper' });
    await world.agentReports(
      await world.instanceWhen('keeper', 'to stop', ({ spec }) => spec.powerState === 'Off'),
      'Off',
    );
    await world.gone(VirtualMachineInstance, 'keeper');
    const kept = await world.client.get(Volume, { namespace: 'default', name: 'keeper-root' });
    expect(kept.metadata.deletionTimestamp).toBeUndefined();
  });
});

it('says that no host sees all that a copy needs', async () => {
  await world.addDatastore('elsewhere');
  const image = {
    apiVersion: API_VERSION,
    kind: 'Image',
    metadata: { name: 'far', namespace: 'default' },
    spec: { datastoreName: 'elsewhere', path: 'a.qcow2' },
  };
  await world.create(image, Image);
  const volume = {
    apiVersion: API_VERSION,
    kind: 'Volume',
    metadata: { name: 'copy', namespace: 'default' },
    spec: { datastoreName: 'shared', source: { imageName: 'far' } },
  };
  await world.create(volume, Volume);
  const waiting = await world.when(Volume, 'copy', 'to wait', isWaiting);
  expect(conditionOf(waiting, 'Ready')).toMatchObject({
    reason: 'DatastoreNotVisible',
    message:
      'no ready host sees all of the Datastores shared elsewhere; look at kubectl get dst shared elsewhere -o wide',
  });
});
