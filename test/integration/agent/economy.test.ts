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

/** Waits until what the last writes caused (each comes back as an event of the watch) has been looked at. */
async function atRest(): Promise<void> {
  let before = -1;
  await eventually('the agent is at rest', async () => {
    const passes = await world.metric('drover_reconcile_total', { controller: 'instance' });
    const isAtRest = passes === before;
    before = passes;
    await beats(1);
    return isAtRest;
  });
}

/** Waits for that many renewals of the host's lease: one every five seconds. */
async function beats(count: number): Promise<void> {
  const renewed = () => world.metric('drover_heartbeat_renewals_total', { outcome: 'renewed' });
  const wanted = (await renewed()) + count;
  await eventually('the heart beats', async () => (await renewed()) >= wanted);
}

describe(`starting ${COUNT} VMs`, () => {
  it('costs one libvirt call and two API writes for each: that the host may run it, and that it does', async () => {
    const first = world.fresh('first');
    await world.create(first);
    await world.phase(first.name, 'Running');
    await atRest();
    // A listing in between may read the XML of a domain that is just starting; nothing else asks about one.
    const ofOneDomain = ['domainCreateXml', 'domainGetState', 'domainGetInfo', 'domainGetMetadata'];
    const before = await Promise.all([...ofOneDomain.map(libvirtCalls), statusWrites()]);

    const vms = Array.from({ length: COUNT }, () => world.fresh('many'));
    await Promise.all(vms.map((vm) => world.create(vm)));
    for (const vm of vms) await world.phase(vm.name, 'Running');
    // A phase can be read before its writer has the answer and counts the call.
    await atRest();

    const after = await Promise.all([...ofOneDomain.map(libvirtCalls), statusWrites()]);
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([COUNT, 0, 0, 0, 2 * COUNT]);
  });

  it('leaves an agent that does nothing while nothing happens', async () => {
    await atRest();
    const passes = () => world.metric('drover_reconcile_total', { controller: 'instance' });
    const calls = () => world.metric('drover_libvirt_calls_total');
    const before = await Promise.all([passes(), statusWrites(), calls()]);
    await beats(2);
    const after = await Promise.all([passes(), statusWrites(), calls()]);
    expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
    // The listing of all domains and the report of the host come once a minute and ask a handful of questions.
    expect(after[2] - before[2]).toBeLessThanOrEqual(12);
  });
});
