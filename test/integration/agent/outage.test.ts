import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { AgentWorld } from './agent-world.ts';

let world: AgentWorld;

beforeAll(async () => {
  world = await AgentWorld.open('agent-outage');
  await world.startAgent();
});
afterAll(async () => {
  await world?.remove();
});

async function running(name: string) {
  const vm = world.fresh(name);
  await world.create(vm);
  const status = await world.phase(vm.name, 'Running');
  return { ...vm, startedAt: status.startedAt, id: (await world.domain(vm.name))?.id };
}

describe.each(['asked', 'killed'] as const)('a libvirtd that was %s to end and comes back', (how) => {
  it('has its VMs untouched, and the agent follows them again', async () => {
    const vm = await running('steady');
    await world.host.restartLibvirtd(how);
    expect(await world.domain(vm.name)).toMatchObject({ id: vm.id });
    // Events come again: a QEMU that dies now is noticed.
    await eventually('the agent has listed the domains again', () => world.logged('listed all domains'));
    await world.killQemu(vm.name);
    const status = await world.statusWhere(
      vm.name,
      'restarted',
      ({ restarts, phase }) => restarts === 1 && phase === 'Running',
    );
    expect(status.lastStop?.reason).toMatch(/^(Failed|Crashed)$/);
  });

  it('does not hide that a QEMU died meanwhile', async () => {
    const vm = await running('lost');
    await world.host.stopLibvirtd(how);
    await world.killQemu(vm.name);
    await world.host.startLibvirtd();
    const status = await world.statusWhere(
      vm.name,
      'restarted',
      ({ restarts, phase }) => restarts === 1 && phase === 'Running',
    );
    expect(status.startedAt).not.toBe(vm.startedAt);
  });

  it('starts what was applied meanwhile', async () => {
    await world.host.stopLibvirtd(how);
    const vm = world.fresh('meanwhile');
    await world.create(vm);
    await world.host.startLibvirtd();
    expect((await world.phase(vm.name, 'Running')).restarts).toBeUndefined();
  });
});

describe('an API server that was killed and comes back', () => {
  it('is not missed by a VM that crashes meanwhile, and learns of it', async () => {
    const vm = await running('crash');
    await world.controlPlane.apiServer.kill();
    await world.killQemu(vm.name);
    const again = await eventually('the domain runs again', async () => {
      const domain = await world.domain(vm.name);
      return domain !== undefined && domain.id !== vm.id ? domain : undefined;
    });
    await world.controlPlane.apiServer.start();
    const status = await world.statusWhere(
      vm.name,
      'known',
      ({ restarts, phase }) => restarts === 1 && phase === 'Running',
      60_000,
    );
    expect(status.startedAt).toBe(again.identity?.startedAt);
    expect((await world.domain(vm.name))?.id).toBe(again.id);
  });

  it('finds VMs untouched by an agent that was killed meanwhile', async () => {
    const vm = await running('alone');
    await world.controlPlane.apiServer.kill();
    await world.killAgent();
    await world.startAgent();
    await eventually('the agent is up without the API', () => world.logged('libvirt answers'));
    expect(await world.domain(vm.name)).toMatchObject({ id: vm.id });
    await world.controlPlane.apiServer.start();
    await world.change(vm.name, { gracePeriodSeconds: 1 });
    const status = await world.statusWhere(
      vm.name,
      'seen',
      ({ observedGeneration }) => observedGeneration === 2,
      60_000,
    );
    expect(status).toMatchObject({ phase: 'Running', startedAt: vm.startedAt });
    expect(await world.domain(vm.name)).toMatchObject({ id: vm.id });
  });
});
