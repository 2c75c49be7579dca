import { afterAll, test as base, beforeAll, describe } from 'vitest';
import { Cluster } from '../../../src/api/cluster.ts';
import { API_VERSION, SYSTEM_NAMESPACE } from '../../../src/api/common/names.ts';
import { HAPolicy } from '../../../src/api/ha-policy.ts';
import { Host } from '../../../src/api/host.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { type PowerDevice, PowerError } from '../../../src/power/index.ts';
import { clusterFixture, LiveHosts } from './live-hosts.ts';
import { conditionOf, Secret, type SecretObject, World } from './world.ts';

/** A machine as its BMC shows it. */
interface Machine {
  state: 'On' | 'Off';
  uuid: string;
  /** Orders to cut the power so far. */
  orders: number;
  /** Absent: it answers at once. */
  failure?: PowerError;
  /** Called before an order is taken. */
  onOrder?: (signal: AbortSignal) => Promise<void>;
}

let world: World;
const machines = new Map<string, Machine>();
let alive: LiveHosts;

/** Tests that make Clusters of their own. */
const it = base.extend<{ cluster: typeof makeCluster }>({
  cluster: clusterFixture(makeCluster, () => alive),
}).concurrent;

beforeAll(async () => {
  world = await World.open('operator-ha');
  // It would have all hosts: it is older.
  await world.client.delete(Cluster, { name: 'lab' });
  world.openDevice = ({ address }) => deviceOf(address);
  const metadata = { name: 'bmc', namespace: SYSTEM_NAMESPACE };
  const data = { username: 'ZHJvdmVy', password: 'c2VjcmV0' };
  const secret: SecretObject = { apiVersion: 'v1', kind: 'Secret', metadata, data };
  await world.create(secret, Secret);
  alive = new LiveHosts(world);
  world.startOperator();
});
afterAll(async () => {
  await alive.close();
  await world.close();
});

function machineOf(host: string): Machine {
  const known = machines.get(host);
  if (known !== undefined) return known;
  const number = String(machines.size + 1).padStart(12, '0');
  const machine: Machine = { state: 'On', uuid: `4f1c2d3e-0000-4000-8000-${number}`, orders: 0 };
  machines.set(host, machine);
  return machine;
}

function deviceOf(address: string): PowerDevice {
  const machine = machineOf(address.replace('.bmc', ''));
  return {
    readState: async () => {
      if (machine.failure) throw machine.failure;
      return { state: machine.state, systemUUID: machine.uuid };
    },
    forceOff: async (signal) => {
      machine.orders++;
      await machine.onOrder?.(signal);
      machine.state = 'Off';
    },
    powerOn: async () => {
      machine.state = 'On';
    },
  };
}

interface Setup {
  readonly hosts?: number;
  readonly policy?: object;
  readonly ha?: object;
  readonly power?: object;
}

/** A Cluster of its own, whose hosts renew their leases until they are silenced. @returns names of its hosts */
async function makeCluster(
  name: string,
  { hosts = 3, policy, ha = { enabled: true }, power }: Setup = {},
): Promise<string[]> {
  const quick = { failureDetection: { suspectAfterSeconds: 4, deadAfterSeconds: 6 }, ...policy };
  await world.create({ apiVersion: API_VERSION, kind: 'HAPolicy', metadata: { name }, spec: quick }, HAPolicy);
  const names = Array.from({ length: hosts }, (_, index) => `${name}-${index + 1}`);
  const spec = { hostSelector: { matchLabels: { of: name } }, ha: { policyName: name, ...ha } };
  await world.create({ apiVersion: API_VERSION, kind: 'Cluster', metadata: { name }, spec }, Cluster);
  for (const host of names) await boot(name, host, 'boot-1', power);
  return names;
}

async function boot(of: string, host: string, bootID: string, power?: object): Promise<void> {
  const bmc = { type: 'Redfish', address: `${host}.bmc`, credentialsSecret: 'bmc' };
  const status = { bootID, systemUUID: machineOf(host).uuid };
  machineOf(host).state = 'On';
  await world.addHost(host, status, { labels: { of }, spec: { power: power ?? { bmc } } });
  await alive.start(host, of);
}

/** A VM that runs on that host, in that boot. */
async function runningOn(clusterName: string, name: string, host: string, spec: object = {}): Promise<void> {
  await world.addVM(name, { clusterName, hostSelector: { matchLabels: { of: clusterName } }, ...spec });
  const placed = await world.instanceWhen(name, 'to be placed');
  const moved = {
    ...placed,
    spec: { ...placed.spec, host, epoch: placed.spec.host === host ? placed.spec.epoch : placed.spec.epoch + 1 },
  };
  const instance = await world.client.update<VirtualMachineInstance>(VirtualMachineInstance, moved);
  await world.agentReports(instance, 'Running', { bootID: 'boot-1', startedAt: '2026-01-01T00:00:00Z' });
  await world.vmWhen(name, 'to run', ({ status }) => status?.phase === 'Running' && status.host === host);
}

const stateOf = ({ status }: Host) => status?.availability?.state;
const hostWhen = async (name: string, reason: string) =>
  await world.when(Host, name, `to be ${reason}`, ({ status }) => status?.availability?.reason === reason);
const movedFrom = async (name: string, host: string) =>
  await world.instanceWhen(name, `to leave ${host}`, ({ spec }) => spec.host !== host);

describe('a host that dies', () => {
  it('is powered off, and its VMs run elsewhere, with the proof in their status', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('dies');
    await world.when(
      Host,
      h1,
      'to have a BMC that answers',
      (host) => conditionOf(host, 'FencingReady')?.status === 'True',
    );
    await runningOn('dies', 'dies-a', h1);
    await runningOn('dies', 'dies-b', h1);
    const written: (string | undefined)[] = [];
    machineOf(h1).onOrder = async () => {
      const host = await world.client.get<Host>(Host, { name: h1 });
      written.push(stateOf(host), host.status?.availability?.fence?.bootID);
    };
    await alive.silence(h1);
    const moved = await Promise.all(['dies-a', 'dies-b'].map((name) => movedFrom(name, h1)));
    // What is about to be done stands there before it is done: the operator may die in between.
    expect(written).toEqual(['Fencing', 'boot-1']);
    expect(machineOf(h1)).toMatchObject({ state: 'Off', orders: 1 });
    for (const { spec } of moved) {
      expect(spec).toMatchObject({ failover: { fromHost: h1, bootID: 'boot-1', proof: 'BMC', epoch: spec.epoch } });
    }
    expect(stateOf(await hostWhen(h1, 'PoweredOff'))).toBe('Fenced');
    const [instance] = moved;
    if (instance === undefined) throw new Error('nothing was moved');
    await world.agentReports(instance, 'Running', { bootID: 'boot-1', startedAt: '2026-01-01T00:00:09Z' });
    const { status } = await world.vmWhen(
      'dies-a',
      'to run',
      ({ status: now }) => now?.lastFailover?.runningAt !== undefined,
    );
    expect(status?.lastFailover).toMatchObject({
      from: h1,
      to: instance.spec.host,
      proof: 'BMC',
      runningAt: '2026-01-01T00:00:09Z',
    });
    expect(status?.phase).toBe('Running');
  });

  it('and whose BMC reads that it is off is not waited for', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('dark', {
      policy: { failureDetection: { suspectAfterSeconds: 4, deadAfterSeconds: 3600 } },
    });
    await runningOn('dark', 'dark-a', h1);
    machineOf(h1).state = 'Off';
    await alive.silence(h1);
    expect((await movedFrom('dark-a', h1)).spec.failover?.proof).toBe('BMC');
    expect(machineOf(h1).orders).toBe(0);
    expect(stateOf(await hostWhen(h1, 'PowerIsOff'))).toBe('Fenced');
  });

  it('may have begun a VM that was placed there a moment before, and is fenced for it', async ({ cluster, expect }) => {
    await cluster('unborn');
    await world.addVM('unborn-a', { clusterName: 'unborn', hostSelector: { matchLabels: { of: 'unborn' } } });
    const { spec } = await world.instanceWhen('unborn-a', 'to be placed');
    expect(spec.bootID).toBe('boot-1');
    await alive.silence(spec.host);
    const moved = await movedFrom('unborn-a', spec.host);
    expect(moved.spec).toMatchObject({ bootID: 'boot-1', failover: { proof: 'BMC', fromHost: spec.host } });
  });

  it('and is back before its VMs were given away keeps those that it has claimed again', async ({
    cluster,
    expect,
  }) => {
    const [h1 = ''] = await cluster('back');
    await runningOn('back', 'back-a', h1);
    machineOf(h1).onOrder = async () => {
      // It has booted by itself, and its agent has said so, and that it starts the VM, when the order comes.
      const instance = await world.client.get<VirtualMachineInstance>(VirtualMachineInstance, {
        name: 'back-a',
        namespace: 'default',
      });
      await world.agentReports(instance, 'Starting', { bootID: 'boot-2' });
    };
    await alive.silence(h1);
    await hostWhen(h1, 'PoweredOff');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const { spec } = await world.client.get<VirtualMachineInstance>(VirtualMachineInstance, {
      name: 'back-a',
      namespace: 'default',
    });
    expect(spec).toMatchObject({ host: h1 });
    expect(spec.failover).toBeUndefined();
    await boot('back', h1, 'boot-2');
    const online = await world.when(Host, h1, 'to be online', (host) => stateOf(host) === 'Online');
    expect(online.status?.availability).toMatchObject({ bootID: 'boot-2', fence: { bootID: 'boot-1' } });
  });

  it('whose power cannot be cut is tried again, says why, and nothing is started', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('stuck', { policy: { fencing: { timeoutSeconds: 5 } } });
    await runningOn('stuck', 'stuck-a', h1);
    machineOf(h1).failure = new PowerError('Unauthorized', 'the BMC at stuck-1.bmc refuses the password');
    await alive.silence(h1);
    const failed = await hostWhen(h1, 'FencingFailed');
    expect(failed.status?.availability?.message).toContain('the BMC at stuck-1.bmc refuses the password');
    const vm = await world.vmWhen('stuck-a', 'to be unknown', ({ status }) => status?.phase === 'Unknown');
    expect(conditionOf(vm, 'Ready')?.message).toContain(h1);
    expect(
      (
        await world.client.get<VirtualMachineInstance>(VirtualMachineInstance, {
          name: 'stuck-a',
          namespace: 'default',
        })
      ).spec.host,
    ).toBe(h1);
    delete machineOf(h1).failure;
    expect((await movedFrom('stuck-a', h1)).spec.failover?.proof).toBe('BMC');
  });

  it('is not mistaken for the machine of another BMC', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('wrong', { policy: { fencing: { timeoutSeconds: 5 } } });
    machineOf(h1).uuid = '4f1c2d3e-1111-4000-8000-000000000001';
    await runningOn('wrong', 'wrong-a', h1);
    await alive.silence(h1);
    await hostWhen(h1, 'FencingFailed');
    expect(machineOf(h1)).toMatchObject({ state: 'On', orders: 0 });
  });

  it('without BMC waits for an administrator, who is believed of that boot only', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('manual', { power: {} });
    await runningOn('manual', 'manual-a', h1);
    await alive.silence(h1);
    const waiting = await hostWhen(h1, 'NoProof');
    expect(waiting.status?.availability?.message).toContain(
      `kubectl annotate host ${h1} --overwrite drover.dev/confirm-fenced=boot-1`,
    );
    await confirm(h1, 'boot-0');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(stateOf(await world.client.get<Host>(Host, { name: h1 }))).toBe('Dead');
    await confirm(h1, 'boot-1');
    expect((await movedFrom('manual-a', h1)).spec.failover).toMatchObject({ proof: 'Administrator', bootID: 'boot-1' });
  });

  it('that is alive is not taken for dead because an administrator says so', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('alive', { power: {} });
    await runningOn('alive', 'alive-a', h1);
    await confirm(h1, 'boot-1');
    expect(stateOf(await hostWhen(h1, 'ConfirmationRefused'))).toBe('Online');
  });

  it('frees VMs that were deleted or halted meanwhile', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('frees');
    await runningOn('frees', 'frees-a', h1);
    await runningOn('frees', 'frees-b', h1);
    await runningOn('frees', 'frees-c', h1);
    machineOf(h1).onOrder = async () => {
      await world.client.delete(VirtualMachine, { name: 'frees-a', namespace: 'default' });
      await world.editVM('frees-b', { runStrategy: 'Halted' });
    };
    await alive.silence(h1);
    await movedFrom('frees-c', h1);
    await world.gone(VirtualMachine, 'frees-a');
    await world.gone(VirtualMachineInstance, 'frees-b');
    const halted = await world.vmWhen('frees-b', 'to be halted', ({ status }) => status?.phase === 'Halted');
    expect(halted.status?.host).toBeUndefined();
  });
});

describe('a VM that is run elsewhere', () => {
  const refusal = { reason: 'MemoryUnavailable', message: 'libvirt refused to start the domain' };
  const refuse = async (instance: VirtualMachineInstance) =>
    await world.agentReports(instance, 'Failed', { bootID: 'boot-1', ...refusal });
  const confirmOff = async (name: string) => {
    const off = await world.instanceWhen(name, 'to be taken back', ({ spec }) => spec.powerState === 'Off');
    await world.agentReports(off, 'Off', { bootID: 'boot-1', reason: 'PoweredOff' });
    return off;
  };
  const placedAs = async (name: string, epoch: number) =>
    await world.instanceWhen(name, `to be placed as epoch ${epoch}`, ({ spec }) => spec.epoch === epoch);

  it('and cannot be started there is given the next host, once the first has confirmed that it is off', async ({
    cluster,
    expect,
  }) => {
    const [h1 = ''] = await cluster('refused');
    await runningOn('refused', 'refused-a', h1);
    await alive.silence(h1);
    const first = await movedFrom('refused-a', h1);
    await refuse(first);
    const back = await world.instanceWhen('refused-a', 'to be taken back', ({ spec }) => spec.powerState === 'Off');
    expect(back.spec).toMatchObject({ host: first.spec.host, epoch: first.spec.epoch });
    const waiting = await world.vmWhen(
      'refused-a',
      'to say so',
      ({ status }) => status?.recovery?.reason === 'TakenBack',
    );
    expect(waiting.status).toMatchObject({ phase: 'Stopping', recovery: { from: h1, attempts: 1 } });
    // The host has not said a word yet, and may be starting it.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await world.instanceWhen('refused-a', 'to be there')).spec.host).toBe(first.spec.host);
    await confirmOff('refused-a');
    const second = await placedAs('refused-a', first.spec.epoch + 1);
    expect([h1, first.spec.host]).not.toContain(second.spec.host);
    expect(second.spec).toMatchObject({
      powerState: 'Running',
      failover: { fromHost: h1, proof: 'BMC', tried: [{ host: first.spec.host, reason: 'MemoryUnavailable' }] },
    });
    await world.agentReports(second, 'Running', { bootID: 'boot-1', startedAt: '2026-01-01T00:00:09Z' });
    const { status } = await world.vmWhen('refused-a', 'to run', ({ status: now }) => now?.phase === 'Running');
    expect(status).toMatchObject({ host: second.spec.host, lastFailover: { to: second.spec.host } });
    expect(status?.recovery).toBeUndefined();
  });

  it('has a bounded number of attempts, waits after the last, and is tried again when its owner asks for it', async ({
    cluster,
    expect,
  }) => {
    const [h1 = ''] = await cluster('bounded', { policy: { restart: { maxAttempts: 1 } } });
    await runningOn('bounded', 'bounded-a', h1);
    await alive.silence(h1);
    const first = await movedFrom('bounded-a', h1);
    await refuse(first);
    const seen = await world.vmWhen('bounded-a', 'to have failed', ({ status }) => status?.phase === 'Failed');
    expect(conditionOf(seen, 'Ready')?.status).toBe('False');
    const gaveUp = await world.instanceWhen(
      'bounded-a',
      'to be given up',
      ({ spec }) => spec.failover?.gaveUp !== undefined,
    );
    await confirmOff('bounded-a');
    const failed = await world.vmWhen(
      'bounded-a',
      'to say so',
      (vm) => conditionOf(vm, 'Ready')?.reason === 'RestartFailed',
    );
    expect(conditionOf(failed, 'Ready')?.message).toContain(`${first.spec.host} at `);
    expect(conditionOf(failed, 'Ready')?.message).toContain('MemoryUnavailable: libvirt refused to start the domain');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await world.instanceWhen('bounded-a', 'to be there')).spec.epoch).toBe(gaveUp.spec.epoch);
    const annotations = { 'drover.dev/restartedAt': '2026-01-01T00:00:00Z' };
    const ref = { name: 'bounded-a', namespace: 'default' };
    await world.client.patch(VirtualMachine, ref, { type: 'merge', body: { metadata: { annotations } } });
    await world.instanceWhen('bounded-a', 'to be told', ({ spec }) => spec.restartedAt !== '');
    await confirmOff('bounded-a');
    const again = await placedAs('bounded-a', first.spec.epoch + 1);
    expect(again.spec.failover?.tried).toBeUndefined();
    expect(again.spec.failover?.gaveUp).toBeUndefined();
  });

  it('waits for the one that it depends on, and says so', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('order');
    await runningOn('order', 'order-db', h1);
    await runningOn('order', 'order-web', h1, {
      ha: { restartPriority: 'Highest', dependsOn: [{ name: 'order-db', readyWhen: 'GuestToolsConnected' }] },
    });
    await alive.silence(h1);
    const db = await movedFrom('order-db', h1);
    const waiting = await world.vmWhen(
      'order-web',
      'to wait',
      (vm) => conditionOf(vm, 'Ready')?.reason === 'DependencyNotReady',
    );
    expect(waiting.status?.phase).toBe('Pending');
    expect(conditionOf(waiting, 'DependenciesReady')).toMatchObject({ status: 'False', reason: 'DependencyNotReady' });
    await world.agentReports(db, 'Running', { bootID: 'boot-1', startedAt: '2026-01-01T00:00:09Z' });
    await world.vmWhen('order-web', 'to wait for the tools', (vm) =>
      Boolean(conditionOf(vm, 'DependenciesReady')?.message.includes('guest tools have not connected')),
    );
    expect((await world.instanceWhen('order-web', 'to be there')).spec.host).toBe(h1);
    const guestTools = { connected: true, addresses: [] };
    await world.agentReports(db, 'Running', { bootID: 'boot-1', startedAt: '2026-01-01T00:00:09Z', guestTools });
    await movedFrom('order-web', h1);
    await world.vmWhen('order-web', 'to say so', (vm) => conditionOf(vm, 'DependenciesReady')?.status === 'True');
  });

  it('says that it and others depend on each other in a circle, until one of them lets go', async ({
    cluster,
    expect,
  }) => {
    const [h1 = ''] = await cluster('circle');
    const on = (name: string) => ({ ha: { dependsOn: [{ name, readyWhen: 'GuestToolsConnected' }] } });
    await runningOn('circle', 'circle-a', h1, on('circle-b'));
    await runningOn('circle', 'circle-b', h1, on('circle-a'));
    for (const [name, other] of [
      ['circle-a', 'circle-b'],
      ['circle-b', 'circle-a'],
    ] as const) {
      const seen = await world.vmWhen(name, 'to say so', (vm) => {
        return conditionOf(vm, 'DependenciesReady')?.reason === 'DependencyCycle';
      });
      expect(conditionOf(seen, 'DependenciesReady')?.message).toContain(`${name} → ${other} → ${name}`);
    }
    await world.editVM('circle-b', { ha: { dependsOn: [] } });
    await world.vmWhen('circle-b', 'to depend on none', (vm) => conditionOf(vm, 'DependenciesReady') === undefined);
    await world.vmWhen('circle-a', 'to wait for its guest tools', (vm) => {
      return conditionOf(vm, 'DependenciesReady')?.reason === 'DependencyNotReady';
    });
  });
});

describe('a host whose lease on storage has lapsed', () => {
  it('and whose agent says that no guest is left loses its VMs to others at once, and serves again', async ({
    cluster,
    expect,
  }) => {
    await world.addDatastore('shared');
    const [h1 = ''] = await cluster('lapses', { policy: { fencing: { order: ['StorageLease'] } }, power: {} });
    const lease = { selfFenceSeconds: 14, watchdogSeconds: 8, datastoreIDs: ['one'] };
    const report = async (bootID: string, state: string) =>
      await world.addHost(h1, { bootID, storageLease: { ...lease, state } }, { labels: { of: 'lapses' } });
    const ready = async (reason: string) =>
      await world.when(Host, h1, `to be ${reason}`, (seen) => conditionOf(seen, 'FencingReady')?.reason === reason);
    expect(conditionOf(await ready('NoStorageLease'), 'FencingReady')?.message).toContain('drover.dev/lease-keeper');
    await report('boot-1', 'Held');
    await ready('StorageLeaseHeld');
    await runningOn('lapses', 'lapses-a', h1);

    // Guests are still being killed: nothing is proven.
    await report('boot-1', 'Lapsed');
    await ready('StorageLeaseLapsed');
    expect(stateOf(await world.client.get(Host, { name: h1 }))).toBe('Online');
    const instance = await world.instanceWhen('lapses-a', 'to be placed');
    expect(instance.spec.host).toBe(h1);
    await world.agentReports(instance, 'Failed', { bootID: 'boot-1', reason: 'StorageLeaseNotHeld' });

    await report('boot-1', 'Over');
    const moved = await movedFrom('lapses-a', h1);
    expect(moved.spec.failover).toMatchObject({ fromHost: h1, proof: 'StorageLease', bootID: 'boot-1' });
    const lapsed = await hostWhen(h1, 'AwaitsStorage');
    expect(lapsed.status?.availability).toMatchObject({ state: 'Fenced', fence: { method: 'StorageLease' } });
    expect(lapsed.status?.availability?.message).toContain('shared datastores');

    await report('boot-1.2', 'Held');
    const back = await hostWhen(h1, 'Alive');
    expect(back.status?.availability).toMatchObject({ state: 'Online', bootID: 'boot-1.2' });
  });
});

describe('hosts', () => {
  it('of which many fall silent at once are not fenced, since it is the network', async ({ cluster, expect }) => {
    const names = await cluster('network');
    const [h1 = '', h2 = ''] = names;
    await runningOn('network', 'network-a', h1);
    await runningOn('network', 'network-b', h2);
    await alive.silence(h1, h2);
    await Promise.all([h1, h2].map((name) => hostWhen(name, 'TooManySilent')));
    expect([machineOf(h1).orders, machineOf(h2).orders]).toEqual([0, 0]);
    const loud = await world.when(
      Cluster,
      'network',
      'to say so',
      (seen) => conditionOf(seen, 'HAReady')?.reason === 'HostsSilent',
    );
    expect(conditionOf(loud, 'HAReady')?.message).toContain(h1);
  });

  it('of a Cluster without high availability are left alone', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('off', { ha: { enabled: false } });
    await runningOn('off', 'off-a', h1);
    await alive.silence(h1);
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    const { status } = await world.client.get<Host>(Host, { name: h1 });
    expect(status?.availability).toBeUndefined();
    expect(machineOf(h1).orders).toBe(0);
    const vm = await world.client.get<VirtualMachine>(VirtualMachine, { name: 'off-a', namespace: 'default' });
    expect(conditionOf(vm, 'HAProtected')).toMatchObject({ status: 'False', reason: 'ClusterHADisabled' });
  });
});

describe('before the day that it is needed', () => {
  it('a VM and its Cluster say that they are protected', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('fine');
    await runningOn('fine', 'fine-a', h1);
    await world.vmWhen('fine-a', 'to be protected', (vm) => conditionOf(vm, 'HAProtected')?.status === 'True');
    const ready = await world.when(
      Cluster,
      'fine',
      'to count it',
      ({ status }) => status?.ha?.protectedVirtualMachines === 1,
    );
    expect(ready.status?.ha).toMatchObject({ unprotectedVirtualMachines: 0, fencingReadyHosts: 3 });
    expect(conditionOf(ready, 'HAReady')).toMatchObject({ status: 'True', reason: 'Ready' });
    const policy = await world.when(
      HAPolicy,
      'fine',
      'to be in effect',
      (each) => conditionOf(each, 'Ready')?.reason === 'InEffect',
    );
    expect(policy.status?.clusters).toEqual(['fine']);
  });

  it('a host says that its BMC does not answer, and its VMs that nothing would prove it off', async ({
    cluster,
    expect,
  }) => {
    const names = ['mute-1', 'mute-2', 'mute-3'];
    for (const name of names) machineOf(name).failure = new PowerError('Unreachable', 'the BMC does not answer');
    const [h1 = ''] = await cluster('mute');
    await runningOn('mute', 'mute-a', h1);
    const host = await world.when(
      Host,
      h1,
      'to say so',
      (seen) => conditionOf(seen, 'FencingReady')?.reason === 'Unreachable',
    );
    expect(conditionOf(host, 'FencingReady')?.message).toContain('the BMC does not answer');
    await world.vmWhen('mute-a', 'to say so', (vm) => conditionOf(vm, 'HAProtected')?.reason === 'FencingNotReady');
    const loud = await world.when(
      Cluster,
      'mute',
      'to say so',
      (seen) => conditionOf(seen, 'HAReady')?.reason === 'FencingNotReady',
    );
    expect(conditionOf(loud, 'HAReady')?.message).toContain(`${h1} (Unreachable)`);
  });

  it('a host says that its BMC does not take the password', async ({ cluster, expect }) => {
    const why = 'the BMC refuses user drover: correct the Secret';
    machineOf('locked-1').failure = new PowerError('Unauthorized', why);
    const [h1 = ''] = await cluster('locked');
    const host = await world.when(
      Host,
      h1,
      'to say so',
      (seen) => conditionOf(seen, 'FencingReady')?.reason === 'Unauthorized',
    );
    expect(conditionOf(host, 'FencingReady')?.message).toContain(why);
  });

  it('a Cluster says what its policy contradicts', async ({ cluster, expect }) => {
    const admissionControl = { type: 'FailoverHosts', failoverHosts: { hosts: ['typo-9'] } };
    await cluster('typo', { ha: { enabled: true, admissionControl } });
    const loud = await world.when(
      Cluster,
      'typo',
      'to say so',
      (seen) => conditionOf(seen, 'HAReady')?.reason === 'FailoverHostsUnknown',
    );
    expect(conditionOf(loud, 'HAReady')?.message).toContain('typo-9');
    await cluster('lonely', { hosts: 1 });
    await world.when(Cluster, 'lonely', 'to say so', (seen) => conditionOf(seen, 'HAReady')?.reason === 'OneHost');
  });

  it('a host says that the credentials of its BMC are not there, and a policy that it has no method', async ({
    cluster,
    expect,
  }) => {
    const bmc = { type: 'Redfish', address: 'lost.bmc', credentialsSecret: 'lost' };
    const [h1 = ''] = await cluster('lost', { power: { bmc } });
    const host = await world.when(
      Host,
      h1,
      'to say so',
      (seen) => conditionOf(seen, 'FencingReady')?.reason === 'CredentialsMissing',
    );
    expect(conditionOf(host, 'FencingReady')?.message).toContain('Secret drover-system/lost');
    await cluster('unarmed', { policy: { fencing: { order: [] } } });
    const policy = await world.when(
      HAPolicy,
      'unarmed',
      'to say so',
      (each) => conditionOf(each, 'Ready')?.status === 'False',
    );
    expect(conditionOf(policy, 'Ready')?.reason).toBe('NoFencingMethod');
    await world.when(
      Host,
      'unarmed-1',
      'to say so',
      (seen) => conditionOf(seen, 'FencingReady')?.reason === 'NoFencingMethod',
    );
  });

  it('a Cluster says that its policy does not exist', async ({ cluster, expect }) => {
    await cluster('nameless', { ha: { enabled: true, policyName: 'nobody' } });
    const loud = await world.when(
      Cluster,
      'nameless',
      'to say so',
      (seen) => conditionOf(seen, 'HAReady')?.reason === 'PolicyNotFound',
    );
    expect(conditionOf(loud, 'HAReady')?.message).toContain('HAPolicy "nobody"');
  });
});

async function confirm(host: string, bootID: string): Promise<void> {
  const body = { metadata: { annotations: { 'drover.dev/confirm-fenced': bootID } } };
  await world.client.patch(Host, { name: host }, { type: 'merge', body });
}

describe('an operator that ends while it cuts the power of a host', () => {
  it('leaves the rest to the next one, which knows what was begun', async ({ cluster, expect }) => {
    const [h1 = ''] = await cluster('replaced');
    await runningOn('replaced', 'replaced-a', h1);
    const isAsked = Promise.withResolvers<void>();
    machineOf(h1).onOrder = async (signal) => {
      delete machineOf(h1).onOrder;
      isAsked.resolve();
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    await alive.silence(h1);
    await isAsked.promise;
    expect(stateOf(await hostWhen(h1, 'CuttingPower'))).toBe('Fencing');
    await world.stopOperator();
    expect(machineOf(h1)).toMatchObject({ state: 'On', orders: 1 });
    world.startOperator();
    expect((await movedFrom('replaced-a', h1)).spec.failover).toMatchObject({ proof: 'BMC', bootID: 'boot-1' });
    expect((await hostWhen(h1, 'PoweredOff')).status?.availability?.fence?.attempts).toBe(2);
  });
});
