import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { AgentWorld } from './agent-world.ts';

let world: AgentWorld;

beforeAll(async () => {
  world = await AgentWorld.open('agent-guests');
  await world.startAgent();
});
afterAll(async () => {
  await world?.remove();
});

describe('a guest', () => {
  it('that resets itself runs on in the same domain', async () => {
    const vm = world.fresh('reset');
    await world.create(vm, { disks: [await world.bootDisk('reset', 'resets')] });
    const before = await world.phase(vm.name, 'Running');
    const id = (await world.domain(vm.name))?.id;
    await eventually('three boots', () => world.console(vm.name).split('B').length > 3);
    const after = await world.status(vm.name);
    expect(after).toEqual({ ...before, guestTools: after?.guestTools });
    expect((await world.domain(vm.name))?.id).toBe(id);
    expect(world.decisions(vm.name)).toEqual(['Claim', 'Start']);
  });

  it.each([
    ['Always', 'CrashLoop'],
    ['OnFailure', 'Off'],
  ] as const)('that switches itself off is believed: %s leaves it %s', async (restartPolicy, phase) => {
    const vm = world.fresh('acpi-off');
    await world.create(vm, { restartPolicy, disks: [await world.bootDisk('acpi-off', 'powersOff')] });
    const status = await world.phase(vm.name, phase);
    expect(status.lastStop?.reason).toBe('Shutdown');
  });

  it('whose kernel panics has crashed, whatever its policy, and is started again', async () => {
    const vm = world.fresh('panic');
    await world.create(vm, { restartPolicy: 'OnFailure', disks: [await world.bootDisk('panic', 'panics')] });
    const status = await world.phase(vm.name, 'CrashLoop');
    expect(status).toMatchObject({ restarts: 1, lastStop: { reason: 'Crashed' } });
    expect(status.conditions).toMatchObject([{ type: 'Ready', status: 'False', reason: 'Crashed' }]);
  });

  it('whose datastore is full is paused, loses nothing, and goes on once there is room', async () => {
    const vm = world.fresh('full');
    const folder = await world.smallFileSystem('full', '8m');
    const disk = await world.bootDisk('full', 'writes', { sizeMiB: 24, folder });
    await world.create(vm, { disks: [disk] });
    const paused = await world.statusWhere(vm.name, 'paused', ({ phase }) => phase === 'Paused');
    expect(paused).toMatchObject({ reason: 'IOError', message: expect.stringContaining('its datastore is full') });
    expect(paused.conditions).toMatchObject([{ type: 'Ready', status: 'False', reason: 'IOError' }]);
    const id = (await world.domain(vm.name))?.id;
    await world.host.run('mount', ['-o', 'remount,size=64m', folder]);
    await world.phase(vm.name, 'Running');
    const allocated = async () => Number((await world.host.run('stat', ['-c', '%b', disk.path])).trim()) * 512;
    // All of it is written at last, from where the guest had stopped.
    await eventually('the whole disk is written', async () => (await allocated()) >= 23 * 2 ** 20);
    expect((await world.domain(vm.name))?.id).toBe(id);
    expect(world.decisions(vm.name)).toEqual(['Claim', 'Start', 'Resume']);
  });
});
