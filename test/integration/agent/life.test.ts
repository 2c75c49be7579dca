import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
});
