import { afterAll, test as base, beforeAll, describe } from 'vitest';
import { Cluster } from '../../../src/api/cluster.ts';
import { API_VERSION } from '../../../src/api/common/names.ts';
import { HAPolicy } from '../../../src/api/ha-policy.ts';
import { Host } from '../../../src/api/host.ts';
import { Migration } from '../../../src/api/migration.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { explainVM } from '../../../src/cli/explain/verb.ts';
import { clusterFixture, LiveHosts } from './live-hosts.ts';
import { conditionOf, World } from './world.ts';

let world: World;
let alive: LiveHosts;

/** Tests that make Clusters of their own. */
const it = base.extend<{ cluster: typeof makeCluster }>({
  cluster: clusterFixture(makeCluster, () => alive),
}).concurrent;

beforeAll(async () => {
  world = await World.open('operator-admission');
  // It would have all hosts: it is older.
  await world.client.delete(Cluster, { name: 'lab' });
  alive = new LiveHosts(world);
  world.startOperator();
});
afterAll(async () => {
  await alive.close();
  await world.close();
});

/** A Cluster of its own, of hosts with 16 GiB. @returns names of its hosts */
async function makeCluster(name: string, hosts: number, ha: object = {}): Promise<string[]> {
  const names = Array.from({ length: hosts }, (_, index) => `${name}-${index + 1}`);
  const spec = { hostSelector: { matchLabels: { of: name } }, ha: { enabled: true, ...ha } };
  await world.create({ apiVersion: API_VERSION, kind: 'Cluster', metadata: { name }, spec }, Cluster);
  for (const host of names) await boot(name, host);
  return names;
}

/** A host whose agent renews its lease until it is silenced. */
async function boot(of: string, host: string): Promise<void> {
  await world.addHost(host, { bootID: 'boot-1' }, { labels: { of } });
  await alive.start(host, of);
}

async function edit(name: string, ha: object): Promise<void> {
  await world.client.patch(Cluster, { name }, { type: 'merge', body: { spec: { ha } } });
}

/** A VM of so many GiB on that host, and nowhere else at first. */
async function running(of: string, name: string, host: string, size = '1Gi'): Promise<void> {
  await world.addVM(name, { clusterName: of, memory: { size } });
  const placed = await world.instanceWhen(name, 'to be placed');
  const epoch = placed.spec.host === host ? placed.spec.epoch : placed.spec.epoch + 1;
  const moved = { ...placed, spec: { ...placed.spec, host, epoch } };
  const instance = await world.client.update<VirtualMachineInstance>(VirtualMachineInstance, moved);
  await world.agentReports(instance, 'Running', { bootID: 'boot-1', startedAt: '2026-01-01T00:00:00Z' });
  await world.vmWhen(name, `to run on ${host}`, ({ status }) => status?.phase === 'Running' && status.host === host);
}

const held = async (name: string) =>
  await world.vmWhen(name, 'to be held', (vm) => conditionOf(vm, 'Ready')?.reason === 'FailoverReserve');
const clusterWhen = async (name: string, what: string, holds: (object: Cluster) => boolean) =>
  await world.when(Cluster, name, what, holds);

describe('a Cluster that keeps room for the failure of a host', () => {
  it('holds a VM that would take it, says so, and starts it once there is more', async ({ cluster, expect }) => {
    const [h1 = '', h2 = ''] = await cluster('full', 2);
    await running('full', 'full-a', h1, '7Gi');
    await running('full', 'full-b', h2, '7Gi');
    await world.addVM('full-c', { clusterName: 'full', memory: { size: '4Gi' } });
    const vm = await held('full-c');
    const ready = conditionOf(vm, 'Ready');
    expect(vm.status?.phase).toBe('Pending');
    expect(ready?.message).toMatch(
      /^the VM would take room that is kept for the failure of 1 host \(8 cores and 16384 MiB are kept, 16 cores and \d+ MiB are free\); 0\/2 hosts fit: 2 FailoverReserve\n/,
    );
    expect(ready?.message).toContain('with the VM here the loss of');
    expect(conditionOf(vm, 'Scheduled')?.reason).toBe('FailoverReserve');
    const explained = await explainVM(world.client, { namespace: 'default', name: 'full-c' }, 'text');
    expect(explained).toContain('FailoverReserve: the Cluster keeps room for the failure of 1 host');
    const { status } = await clusterWhen('full', 'to be counted', (each) => each.status?.ha?.failuresTolerated === 1);
    expect(status?.ha?.reserve).toMatchObject({ cpuCores: 8, memoryBytes: 16 * 2 ** 30, freeCores: 16 });
    await boot('full', 'full-3');
    expect((await world.instanceWhen('full-c', 'to be placed')).spec.host).toMatch(/^full-/);
  });

  it('starts it as soon as it need not keep it any more', async ({ cluster, expect }) => {
    const [h1 = '', h2 = ''] = await cluster('off', 2);
    await running('off', 'off-a', h1, '7Gi');
    await running('off', 'off-b', h2, '7Gi');
    await world.addVM('off-c', { clusterName: 'off', memory: { size: '4Gi' } });
    await held('off-c');
    await edit('off', { admissionControl: { type: 'Disabled' } });
    await world.instanceWhen('off-c', 'to be placed');
    const told = await clusterWhen(
      'off',
      'to be without reserve',
      (object) => conditionOf(object, 'FailoverCapacity')?.reason === 'Disabled',
    );
    expect(told.status?.ha?.reserve).toBeUndefined();
    expect(told.status?.ha?.failuresTolerated).toBeDefined();
  });

  it('names the VMs that would find no room, and after the loss of which host', async ({ cluster, expect }) => {
    const [h1 = '', h2 = ''] = await cluster('broken', 2, { admissionControl: { type: 'Disabled' } });
    await running('broken', 'broken-a', h1, '10Gi');
    await running('broken', 'broken-b', h2, '10Gi');
    await edit('broken', { admissionControl: { type: 'HostFailures' } });
    const told = await clusterWhen(
      'broken',
      'to lack room',
      (object) => conditionOf(object, 'FailoverCapacity')?.status === 'False',
    );
    expect(conditionOf(told, 'FailoverCapacity')).toMatchObject({
      reason: 'NotEnough',
      message: expect.stringContaining('the loss of broken-1 would leave 1 VM without room: broken-a'),
    });
    expect(told.status?.ha?.failuresTolerated).toBe(0);
  });

  it('empties no host that it could not do without, unless it keeps nothing', async ({ cluster, expect }) => {
    const hosts = await cluster('maintained', 3);
    for (const [index, host] of hosts.entries()) await running('maintained', `maintained-${index}`, host, '7Gi');
    await running('maintained', 'maintained-more', hosts[1] ?? '', '4Gi');
    const [h1 = ''] = hosts;
    await world.client.patch(Host, { name: h1 }, { type: 'merge', body: { spec: { maintenance: 'Evacuate' } } });
    const blocked = await world.when(Host, h1, 'to be held', ({ status }) => status?.evacuation?.blocked?.length === 1);
    expect(blocked.status?.evacuation?.blocked?.[0]?.message).toContain('FailoverReserve: the Cluster keeps room');
    await edit('maintained', { admissionControl: { type: 'Disabled' } });
    await world.when(Host, h1, 'to be left', ({ status }) => status?.evacuation?.moving === 1);
    const migrations = await world.client.list<Migration>(Migration, { namespace: 'default' });
    expect(migrations.items.map(({ spec }) => spec.virtualMachineName)).toContain('maintained-0');
  });
});

describe('a Cluster with failover hosts', () => {
  it('starts no VM there, but runs those of dead hosts there, and empties them again', async ({ cluster, expect }) => {
    const policy = { failureDetection: { suspectAfterSeconds: 4, deadAfterSeconds: 6 } };
    await world.create(
      { apiVersion: API_VERSION, kind: 'HAPolicy', metadata: { name: 'spare' }, spec: policy },
      HAPolicy,
    );
    const failoverHosts = { hosts: ['spare-3'], evacuate: true };
    const [h1 = '', , h3 = ''] = await cluster('spare', 3, {
      policyName: 'spare',
      admissionControl: { type: 'FailoverHosts', failoverHosts },
    });
    await running('spare', 'spare-a', h1);
    const vm = await world.client.get<VirtualMachine>(VirtualMachine, { namespace: 'default', name: 'spare-a' });
    expect(conditionOf(vm, 'Scheduled')?.message).toContain(`${h3}: FailoverHost: it is kept empty for failovers`);
    await alive.silence(h1);
    await world.when(Host, h1, 'to be dead', ({ status }) => status?.availability?.state === 'Dead');
    const annotations = { 'drover.dev/confirm-fenced': 'boot-1' };
    await world.client.patch(Host, { name: h1 }, { type: 'merge', body: { metadata: { annotations } } });
    const moved = await world.instanceWhen('spare-a', 'to be elsewhere', ({ spec }) => spec.host !== h1);
    expect(moved.spec.host).toBe(h3);
    await world.agentReports(moved, 'Running', { bootID: 'boot-1', startedAt: '2026-01-01T00:00:00Z' });
    const emptied = await world.when(Host, h3, 'to be left', ({ status }) => status?.evacuation?.moving === 1);
    expect(emptied.status?.evacuation?.cause).toBe('FailoverHost');
    expect(conditionOf(emptied, 'InMaintenance')).toMatchObject({ status: 'False', reason: 'FailoverHost' });
  });
});
