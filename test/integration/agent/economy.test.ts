import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../eventually.ts';
import { AgentWorld } from './agent-world.ts';

const COUNT = 20;

let world: AgentWorld;

beforeAll(async () => {
  world = await AgentWorld.open('agent-economy');
  await world.startAgent();
});
afterAll(async () => {
  await world?.remove();
});

const libvirtCalls = async (procedure: string) => await world.metric('drover_libvirt_calls_total', { procedure });
const statusWrites = async () =>
  await world.metric('drover_api_calls_total', { verb: 'apply', resource: 'virtualmachineinstances/status' });

describe(`starting ${COUNT} VMs`, () => {
  it('costs one libvirt call and one API write for each', async () => {
    const first = world.fresh('first');
    await world.create(first);
    await world.phase(first.name, 'Running');
    const domainCalls = ['domainCreateXml', 'domainGetState', 'domainGetXmlDesc', 'domainGetInfo', 'domainGetMetadata'];
    const before = await Promise.all([...domainCalls.map(libvirtCalls), statusWrites()]);

    const vms = Array.from({ length: COUNT }, () => world.fresh('many'));
    await Promise.all(vms.map((vm) => world.create(vm)));
    for (const vm of vms) await world.phase(vm.name, 'Running');

    const after = await Promise.all([...domainCalls.map(libvirtCalls), statusWrites()]);
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([COUNT, 0, 0, 0, 0, COUNT]);
  });

  it('leaves an agent that does nothing while nothing happens', async () => {
    const before = await Promise.all([world.metric('drover_libvirt_calls_total'), statusWrites()]);
    const passes = await world.metric('drover_reconcile_total', { controller: 'instance' });
    // The heartbeat goes on: two of them are time enough for anything that would go on by itself.
    const beats = await world.metric('drover_heartbeat_renewals_total', { outcome: 'renewed' });
    await eventually('two more heartbeats', async () => {
      return (await world.metric('drover_heartbeat_renewals_total', { outcome: 'renewed' })) >= beats + 2;
    });
    const after = await Promise.all([world.metric('drover_libvirt_calls_total'), statusWrites()]);
    // At most the listing of all domains and the host's report, which come once a minute.
    expect(after[0] - before[0]).toBeLessThanOrEqual(12);
    expect(after[1] - before[1]).toBe(0);
    expect((await world.metric('drover_reconcile_total', { controller: 'instance' })) - passes).toBe(0);
  });
});
