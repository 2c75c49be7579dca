import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { openSealed } from '../../../src/runtime/sealed.ts';
import { eventually } from '../eventually.ts';
import { conditionOf, isWaiting, World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await World.open('operator-vm');
  await world.addDatastore('shared');
  world.startOperator();
});
afterAll(() => world.close());

describe('a VirtualMachine', () => {
  it('says of every host why it does not fit, and is placed when one comes', async () => {
    await world.addVM('first');
    const pending = await world.vmWhen('first', 'to be pending', isWaiting);
    expect(conditionOf(pending, 'Scheduled')).toMatchObject({
      status: 'False',
      reason: 'NoHostFits',
      message: 'the Cluster has no hosts',
    });
    expect(conditionOf(pending, 'Ready')).toMatchObject({ status: 'False', reason: 'NoHostFits' });
    await world.addHost('h1');
    const instance = await world.instanceWhen('first', 'to be made');
    expect(instance.spec).toMatchObject({
      host: 'h1',
      epoch: 1,
      powerState: 'Running',
      virtualMachineUID: pending.metadata.uid,
    });
    expect(instance.metadata.finalizers).toEqual(['drover.dev/cleanup']);
    expect(instance.metadata.ownerReferences).toMatchObject([
      { kind: 'VirtualMachine', name: 'first', uid: pending.metadata.uid },
    ]);
  });

  it('is Ready when its agent says that it runs, with its placement explained', async () => {
    const instance = await world.instanceWhen('first', 'to be there');
    await world.agentReports(instance, 'Running', { startedAt: new Date().toISOString() });
    const vm = await world.vmWhen('first', 'to run', ({ status }) => status?.phase === 'Running');
    expect(conditionOf(vm, 'Ready')).toMatchObject({ status: 'True', reason: 'Running' });
    expect(conditionOf(vm, 'Scheduled')?.message).toMatch(/^h1: chosen; 9\d\.\d% of its memory stays free$/);
    expect(vm.status).toMatchObject({ host: 'h1', epoch: 1 });
  });

  it('takes one write of its instance and one of its status from creation to Running, besides its event', async () => {
    await world.addVM('counted');
    await world.agentReports(await world.instanceWhen('counted', 'to be made'), 'Running');
    await world.vmWhen('counted', 'to run', ({ status }) => status?.phase === 'Running');
    const writes = () =>
      world.writes
        // The event's name begins with the VM's.
        .filter(({ key }) => /^default\/counted($|\.)/.test(key ?? ''))
        .map(({ verb, resource }) => `${verb} ${resource}`);
    // A call is noted when its answer has come, a moment after what it wrote can be read.
    await eventually('the writes to be noted', () => writes().length >= 3 || undefined);
    expect(writes().toSorted()).toEqual([
      'apply virtualmachines/status',
      'create events',
      'create virtualmachineinstances',
    ]);
  });

  it('is turned off and forgets its host only with proof, and comes back with a higher epoch', async () => {
    await world.editVM('first', { runStrategy: 'Halted' });
    const stopping = await world.instanceWhen('first', 'to be turned off', ({ spec }) => spec.powerState === 'Off');
    await world.agentReports(stopping, 'Stopping');
    const vm = await world.vmWhen('first', 'to be stopping', ({ status }) => status?.phase === 'Stopping');
    expect(vm.status?.host).toBe('h1');
    await world.agentReports(stopping, 'Off');
    await world.gone(VirtualMachineInstance, 'first');
    const halted = await world.vmWhen('first', 'to be halted', ({ status }) => status?.phase === 'Halted');
    expect(conditionOf(halted, 'Ready')).toMatchObject({ status: 'True', reason: 'Halted' });
    expect(halted.status?.host).toBeUndefined();
    await world.editVM('first', { runStrategy: 'Always' });
    expect((await world.instanceWhen('first', 'to be made anew')).spec.epoch).toBe(2);
  });

  it('stays on its host when somebody tears its instance away', async () => {
    await world.addHost('h2');
    const torn = await world.instanceWhen('first', 'to be there');
    await world.agentReports(torn, 'Running');
    await world.vmWhen('first', 'to name its host', ({ status }) => status?.host === torn.spec.host);
    await world.client.patch(VirtualMachineInstance, torn.metadata, {
      type: 'merge',
      body: { metadata: { finalizers: null } },
    });
    await world.client.delete(VirtualMachineInstance, torn.metadata);
    const again = await world.instanceWhen(
      'first',
      'to be made again',
      ({ metadata }) => metadata.uid !== torn.metadata.uid,
    );
    expect(again.spec).toMatchObject({ host: torn.spec.host, epoch: torn.spec.epoch + 1 });
  });

  it('leaves an instance until its domain is off when it is deleted', async () => {
    await world.client.delete(VirtualMachine, { namespace: 'default', name: 'first' });
    const orphan = await world.instanceWhen('first', 'to be turned off', ({ spec }) => spec.powerState === 'Off');
    await world.agentReports(orphan, 'Off');
    await world.gone(VirtualMachineInstance, 'first');
  });

  it('that takes the place of a deleted one of its name waits until that one is off, and takes nothing of it for its own', async () => {
    await world.addVM('again');
    const first = await world.instanceWhen('again', 'to be placed');
    await world.agentReports(first, 'Running');
    await world.vmWhen('again', 'to run', ({ status }) => status?.phase === 'Running');
    await world.client.delete(VirtualMachine, { namespace: 'default', name: 'again' });
    await world.addVM('again');
    const waiting = await world.vmWhen(
      'again',
      'to wait',
      (vm) => conditionOf(vm, 'Scheduled')?.reason === 'PredecessorTerminating',
    );
    expect(waiting.status).toMatchObject({ phase: 'Pending' });
    expect(waiting.status?.host).toBeUndefined();
    const going = await world.instanceWhen('again', 'to be turned off', ({ spec }) => spec.powerState === 'Off');
    expect(going.metadata.uid).toBe(first.metadata.uid);
    await world.agentReports(going, 'Off');
    const second = await world.instanceWhen(
      'again',
      'to be another one',
      ({ metadata }) => metadata.uid !== first.metadata.uid,
    );
    expect(second.spec.virtualMachineUID).toBe(waiting.metadata.uid);
  });

  it('waits for the Secret that it names, and sends it sealed', async () => {
    await world.addVM('secretive', { cloudInit: { userDataSecret: { name: 'seed' } } });
    const waiting = await world.vmWhen('secretive', 'to wait', isWaiting);
    expect(conditionOf(waiting, 'Scheduled')).toMatchObject({
      reason: 'ReferenceNotFound',
      message: 'Secret "seed" (spec.cloudInit.userDataSecret) does not exist; create it',
    });
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'seed', namespace: 'default' },
      stringData: { userData: '#cloud-config\npassword: hush\n' },
    };
    await world.create(secret, { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true });
    const instance = await world.instanceWhen('secretive', 'to be made');
    expect(JSON.stringify(instance)).not.toContain('hush');
    const box = instance.spec.cloudInit?.sealedUserData?.box ?? '';
    const context = `default/secretive/${waiting.metadata.uid}`;
    expect(openSealed(world.sealingKey.privateKey, box, context).toString()).toContain('hush');
  });

  it('is of unknown state while its host is silent', async () => {
    const { spec } = await world.instanceWhen('counted', 'to be there');
    await world.beat(spec.host, 1);
    const vm = await world.vmWhen('counted', 'to be unknown', ({ status }) => status?.phase === 'Unknown');
    expect(conditionOf(vm, 'Ready')).toMatchObject({ status: 'Unknown', reason: 'HostNotReady' });
    await world.addHost(spec.host);
    await world.vmWhen('counted', 'to run again', ({ status }) => status?.phase === 'Running');
  });

  it('is of unknown state after its host has booted, until the host has looked for it', async () => {
    const instance = await world.instanceWhen('counted', 'to be there');
    await world.agentReports(instance, 'Running', { bootID: 'boot-1' });
    await world.addHost(instance.spec.host, { bootID: 'boot-2' });
    const vm = await world.vmWhen('counted', 'to be unknown', ({ status }) => status?.phase === 'Unknown');
    const message = expect.stringContaining('has booted since it told of the VM');
    expect(conditionOf(vm, 'Running')).toMatchObject({ status: 'Unknown', message });
    await world.agentReports(instance, 'Running', { bootID: 'boot-2' });
    await world.vmWhen('counted', 'to run again', ({ status }) => status?.phase === 'Running');
  });

  it('is not written again by an operator that starts anew', async () => {
    await world.agentReports(await world.instanceWhen('secretive', 'to be there'), 'Running');
    await world.vmWhen('secretive', 'to run', ({ status }) => status?.phase === 'Running');
    await world.stopOperator();
    const before = world.writesOfNote.length;
    world.startOperator();
    await world.addVM('marker');
    await world.instanceWhen('marker', 'to be made by the new operator');
    const writes = () =>
      world.writesOfNote
        .slice(before)
        .map(({ verb, resource }) => `${verb} ${resource}`)
        .filter((write) => !write.includes('clusters') && !write.endsWith('events'));
    // A call is noted when its answer has come, a moment after the instance can be read.
    await eventually('the creation to be noted', () => writes().length > 0 || undefined);
    // The marker's own instance and event; nothing of the others.
    expect(writes()).toEqual(['create virtualmachineinstances']);
  });
});

it('goes on after the API server was killed', async () => {
  await world.controlPlane.apiServer.kill();
  await world.controlPlane.apiServer.start();
  await world.addVM('after');
  expect((await world.instanceWhen('after', 'to be made')).spec.epoch).toBe(1);
});
