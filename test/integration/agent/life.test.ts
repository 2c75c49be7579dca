import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { AgentWorld } from './agent-world.ts';

let world: AgentWorld;

beforeAll(async () => {
  world = await AgentWorld.open('agent-life');
  await world.startAgent();
});
afterAll(async () => {
  await world?.remove();
});

describe('the life of a VM on its host', () => {
  it('runs a domain as the intent says, and reports it', async () => {
    const vm = world.fresh('run');
    await world.create(vm);
    const status = await world.phase(vm.name, 'Running');
    const domain = await world.domain(vm.name);
    expect(domain?.identity).toMatchObject({
      virtualMachineUID: vm.uid,
      epoch: 1,
      namespace: 'default',
      name: vm.name,
    });
    expect(status).toMatchObject({
      observedEpoch: 1,
      observedGeneration: 1,
      host: world.host.name,
      startedAt: domain?.identity?.startedAt,
    });
    expect(status.conditions).toMatchObject([{ type: 'Ready', status: 'True', reason: 'Running' }]);
  });

  it('switches a VM off and confirms it for this very intent', async () => {
    const vm = world.fresh('off');
    await world.create(vm);
    await world.phase(vm.name, 'Running');
    const { metadata } = await world.change(vm.name, { powerState: 'Off' });
    const status = await world.phase(vm.name, 'Off');
    expect(status).toMatchObject({
      observedGeneration: metadata.generation,
      observedEpoch: 1,
      reason: 'PoweredOff',
      lastStop: { reason: 'Destroyed' },
    });
    expect(status.startedAt).toBeUndefined();
    expect(await world.domain(vm.name)).toBeUndefined();
  });

  it('gives a guest that does not listen its grace, then cuts the power', async () => {
    const vm = world.fresh('grace');
    await world.create(vm, { gracePeriodSeconds: 3 });
    await world.phase(vm.name, 'Running');
    const askedMs = Date.now();
    await world.change(vm.name, { powerState: 'Off' });
    const stopping = await world.phase(vm.name, 'Stopping');
    expect(stopping.reason).toBe('PoweringOff');
    expect(Date.parse(stopping.powerOffAt ?? '') - askedMs).toBeGreaterThanOrEqual(3_000);
    expect(await world.domain(vm.name)).toBeDefined();
    await world.phase(vm.name, 'Off');
    expect(Date.now() - askedMs).toBeGreaterThanOrEqual(3_000);
    expect(await world.domain(vm.name)).toBeUndefined();
  });

  it('pauses and resumes a VM, whoever paused it', async () => {
    const vm = world.fresh('pause');
    await world.create(vm, { powerState: 'Paused' });
    await world.phase(vm.name, 'Paused');
    const id = (await world.domain(vm.name))?.id;
    await world.change(vm.name, { powerState: 'Running' });
    await world.phase(vm.name, 'Running');
    await world.change(vm.name, { powerState: 'Paused' });
    const paused = await world.phase(vm.name, 'Paused');
    expect(paused.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
    await world.virsh('resume', `default_${vm.name}`);
    await eventually(
      'paused again',
      async () => (await world.virsh('domstate', `default_${vm.name}`)).trim() === 'paused',
    );
    await world.change(vm.name, { powerState: 'Running' });
    await world.phase(vm.name, 'Running');
    await world.virsh('suspend', `default_${vm.name}`);
    await eventually('resumed', async () => (await world.virsh('domstate', `default_${vm.name}`)).trim() === 'running');
    expect((await world.domain(vm.name))?.id).toBe(id);
  });

  it('restarts once for a restart request, with the new spec', async () => {
    const vm = world.fresh('restart');
    await world.create(vm, { restartPolicy: 'OnFailure' });
    const first = await world.phase(vm.name, 'Running');
    await world.change(vm.name, { memoryBytes: 96 * 2 ** 20 });
    const outdated = await world.statusWhere(
      vm.name,
      'outdated',
      ({ restartRequired }) => restartRequired !== undefined,
    );
    expect(outdated.restartRequired).toEqual(['memoryBytes']);
    await world.change(vm.name, { restartedAt: '2026-01-01T00:00:00Z' });
    const second = await world.statusWhere(
      vm.name,
      'restarted',
      (status) => status.phase === 'Running' && status.startedAt !== first.startedAt,
    );
    expect(second).toMatchObject({ restartedAt: '2026-01-01T00:00:00Z' });
    expect(second.restartRequired).toBeUndefined();
    expect(second.restarts).toBeUndefined();
    expect(await world.virsh('dominfo', `default_${vm.name}`)).toMatch(/Max memory: +98304 KiB/);
  });
});

describe('a VM that stops by itself', () => {
  it('is started again at once after its QEMU was killed, and then ever later', async () => {
    const vm = world.fresh('crash');
    await world.create(vm, { restartPolicy: 'OnFailure' });
    await world.phase(vm.name, 'Running');
    await world.killQemu(vm.name);
    const again = await world.statusWhere(
      vm.name,
      'restarted',
      (status) => status.restarts === 1 && status.phase === 'Running',
    );
    expect(again.lastStop?.reason).toBe('Crashed');
    await world.killQemu(vm.name);
    const loop = await world.phase(vm.name, 'CrashLoop');
    expect(loop.conditions).toMatchObject([{ type: 'Ready', status: 'False', reason: 'Crashed' }]);
    expect(Date.parse(loop.nextStartAt ?? '') - Date.parse(loop.lastStop?.at ?? '')).toBe(10_000);
    const third = await world.statusWhere(
      vm.name,
      'restarted',
      (status) => status.restarts === 2 && status.phase === 'Running',
    );
    expect(Date.parse(third.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(loop.nextStartAt ?? ''));
    expect(third).toMatchObject({ restartDelaySeconds: 10 });
    expect(third.nextStartAt).toBeUndefined();
  });

  it.each([
    ['Always', 'Running', 1],
    ['OnFailure', 'Off', undefined],
  ] as const)('after the guest has switched itself off: %s leaves it %s', async (restartPolicy, phase, restarts) => {
    const vm = world.fresh('poweroff');
    await world.create(vm, { restartPolicy });
    const first = await world.phase(vm.name, 'Running');
    await world.guestPowersOff(vm.name);
    const status = await world.statusWhere(
      vm.name,
      phase,
      (seen) => seen.phase === phase && seen.lastStop !== undefined,
    );
    expect(status.lastStop?.reason).toBe('Shutdown');
    expect(status.restarts).toBe(restarts);
    expect(status.startedAt).not.toBe(first.startedAt);
    expect(status.conditions).toMatchObject([{ type: 'Ready', status: 'True' }]);
  });

  it('comes back when somebody destroys its domain', async () => {
    const vm = world.fresh('destroyed');
    await world.create(vm, { restartPolicy: 'OnFailure' });
    await world.phase(vm.name, 'Running');
    await world.virsh('destroy', `default_${vm.name}`);
    const status = await world.statusWhere(vm.name, 'back', (seen) => seen.phase === 'Running' && seen.restarts === 1);
    expect(status.lastStop?.reason).toBe('Destroyed');
  });
});

describe('a VM that libvirt refuses', () => {
  it('names the missing disk and starts once it is there', async () => {
    const vm = world.fresh('missing');
    const disk = { ...(await world.disk('missing')), path: '/var/lib/libvirt/images/absent.qcow2', name: 'data' };
    await world.create(vm, { disks: [disk] });
    const status = await world.phase(vm.name, 'Failed');
    expect(status.reason).toBe('DiskMissing');
    expect(status.message).toContain('spec.disks[data]');
    expect(status.message).toContain(disk.path);
    expect(status.nextStartAt).toBeDefined();
    expect(status.conditions).toMatchObject([{ type: 'Ready', status: 'False', reason: 'DiskMissing' }]);
    await world.host.run('qemu-img', ['create', '-q', '-f', 'qcow2', disk.path, '1M']);
    await world.phase(vm.name, 'Running');
  });

  it('names the disk that another QEMU holds', async () => {
    const shared = await world.disk('shared');
    const holder = world.fresh('holder');
    await world.create(holder, { disks: [shared] });
    await world.phase(holder.name, 'Running');
    const vm = world.fresh('locked');
    await world.create(vm, { disks: [shared] });
    const status = await world.phase(vm.name, 'Failed');
    expect(status.reason).toBe('DiskLocked');
    expect(status.message).toContain(shared.path);
    await world.change(holder.name, { powerState: 'Off' });
    await world.phase(vm.name, 'Running');
  });

  it('waits for a change of the spec when the host cannot present its CPU model', async () => {
    const vm = world.fresh('cpu');
    // TCG of QEMU 7.2 lacks what came after.
    await world.create(vm, { cpu: { sockets: 1, coresPerSocket: 1, threads: 1, model: 'Icelake-Server-noTSX' } });
    const status = await world.phase(vm.name, 'Failed');
    expect(status).toMatchObject({
      reason: 'CPUNotCompatible',
      message: expect.stringMatching(/\(spec\.cpu\.model\): .*does not provide required features: /),
    });
    expect(status.nextStartAt).toBeUndefined();
    await world.change(vm.name, { cpu: { sockets: 1, coresPerSocket: 1, threads: 1, model: 'Nehalem' } });
    await world.phase(vm.name, 'Running');
    expect(await world.virsh('dumpxml', `default_${vm.name}`)).toContain('>Nehalem</model>');
  });

  it('waits for a change of the spec when its machine type does not exist', async () => {
    const vm = world.fresh('machine');
    await world.create(vm, { machineType: 'pc-q35-99.9' });
    const status = await world.phase(vm.name, 'Failed');
    expect(status.reason).toBe('MachineTypeUnsupported');
    expect(status.message).toContain('spec.machineType');
    expect(status.nextStartAt).toBeUndefined();
    await world.change(vm.name, { machineType: 'q35' });
    await world.phase(vm.name, 'Running');
  });
});
