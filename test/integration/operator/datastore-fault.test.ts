import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../../../src/api/cluster.ts';
import { API_VERSION } from '../../../src/api/common/names.ts';
import { HAPolicy } from '../../../src/api/ha-policy.ts';
import { Host } from '../../../src/api/host.ts';
import type { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { Volume } from '../../../src/api/volume.ts';
import { LiveHosts } from './live-hosts.ts';
import { condition, conditionOf, World } from './world.ts';

const AGENT = { fieldManager: 'test-agent', force: true } as const;
const HOSTS = ['h1', 'h2', 'h3'];

let world: World;
let alive: LiveHosts;

beforeAll(async () => {
  world = await World.open('operator-datastores');
  const spec = { datastoreFault: { action: 'Restart' }, isolationResponse: 'Shutdown' };
  await world.create({ apiVersion: API_VERSION, kind: 'HAPolicy', metadata: { name: 'moves' }, spec }, HAPolicy);
  const ha = { enabled: true, policyName: 'moves', admissionControl: { type: 'Disabled' } };
  await world.client.patch(Cluster, { name: 'lab' }, { type: 'merge', body: { spec: { ha } } });
  await world.addDatastore('shared');
  alive = new LiveHosts(world);
  for (const host of HOSTS) {
    await world.addHost(host, { bootID: 'boot-1', usagePort: 9443 });
    // Hosts that lose a datastore live.
    await alive.start(host);
  }
  world.startOperator();
});
afterAll(async () => {
  await alive.close();
  await world.close();
});

/** What a host's agent reports of the datastore. */
async function sees(host: string, loss?: { readonly reason: string; readonly since: string }): Promise<void> {
  const shared = loss
    ? { name: 'shared', available: false, message: 'gone', loss }
    : { name: 'shared', available: true, id: 'one', message: '' };
  await world.addHost(host, { bootID: 'boot-1', usagePort: 9443, datastores: [shared] });
}

/** A VM with a disk on the datastore, which runs. */
async function running(name: string): Promise<VirtualMachineInstance> {
  await world.addVM(name, { disks: [{ name: 'root', volumeTemplate: { datastoreName: 'shared', size: '1Gi' } }] });
  await world.when(Volume, `${name}-root`, 'to be given a host', ({ status }) => Boolean(status?.host));
  const status = {
    phase: 'Ready',
    path: `/ds/shared/volumes/default/${name}-root.qcow2`,
    format: 'qcow2',
    capacityBytes: 2 ** 30,
    conditions: [condition('Ready', 'True')],
  };
  const metadata = { name: `${name}-root`, namespace: 'default' };
  await world.client.applyStatus(Volume, { apiVersion: API_VERSION, kind: 'Volume', metadata, status }, AGENT);
  const instance = await world.instanceWhen(name, 'to be placed');
  await world.agentReports(instance, 'Running', { bootID: 'boot-1', startedAt: '2026-01-01T00:00:00Z' });
  await world.vmWhen(name, 'to run', (vm) => vm.status?.phase === 'Running');
  return instance;
}

const agoMs = (ms: number) => new Date(Date.now() - ms).toISOString();

describe('a host that has lost a datastore', () => {
  it('is told to stop its VM, and only its word gives it to another host', async () => {
    const { spec: placed } = await running('stored');
    const since = agoMs(60_000);
    await sees(placed.host, { reason: 'PermanentlyLost', since });
    const told = await world.instanceWhen('stored', 'to be stopped', ({ spec }) => spec.powerState === 'Off');
    expect(told.spec).toMatchObject({
      host: placed.host,
      epoch: placed.epoch,
      gracePeriodSeconds: 0,
      datastoreFault: { datastoreName: 'shared', reason: 'PermanentlyLost', detectedAt: since },
    });
    const waiting = await world.vmWhen(
      'stored',
      'to tell of it',
      (vm) => conditionOf(vm, 'StorageReachable')?.reason === 'BeingMoved',
    );
    expect(waiting.status).toMatchObject({ phase: 'Stopping', host: placed.host });
    await world.agentReports(told, 'Off', { bootID: 'boot-1', lastStop: { at: agoMs(0), reason: 'Destroyed' } });
    const moved = await world.instanceWhen('stored', 'to move', ({ spec }) => spec.host !== placed.host);
    expect(moved.spec).toMatchObject({
      powerState: 'Running',
      epoch: placed.epoch + 1,
      failover: { fromHost: placed.host, proof: 'HostConfirmed', detectedAt: since, epoch: placed.epoch + 1 },
    });
    expect(moved.spec.datastoreFault).toBeUndefined();
    await world.agentReports(moved, 'Running', { bootID: 'boot-1', startedAt: '2026-01-01T00:01:00Z' });
    const { status } = await world.vmWhen('stored', 'to run there', (vm) => vm.status?.phase === 'Running');
    expect(status?.lastFailover).toMatchObject({ from: placed.host, to: moved.spec.host, proof: 'HostConfirmed' });
    await sees(placed.host);
  });

  it('that sees it again before it has stopped the VM keeps it', async () => {
    const { spec: placed } = await running('kept');
    await sees(placed.host, { reason: 'PermanentlyLost', since: agoMs(60_000) });
    await world.instanceWhen('kept', 'to be stopped', ({ spec }) => spec.powerState === 'Off');
    await sees(placed.host);
    const { spec } = await world.instanceWhen('kept', 'to go on', (each) => each.spec.powerState === 'Running');
    expect(spec).toMatchObject({ host: placed.host, epoch: placed.epoch });
    expect(spec.datastoreFault).toBeUndefined();
  });

  it('is told nothing where no other host sees the datastore: it has failed itself', async () => {
    const { spec: placed } = await running('everywhere');
    for (const host of HOSTS) await sees(host, { reason: 'AllPathsDown', since: agoMs(600_000) });
    const vm = await world.vmWhen(
      'everywhere',
      'to say so',
      (each) => conditionOf(each, 'StorageReachable')?.reason === 'DatastoreFailed',
    );
    expect(conditionOf(vm, 'StorageReachable')?.message).toContain('shared');
    const { spec } = await world.instanceWhen('everywhere', 'to be there');
    expect(spec).toMatchObject({ powerState: 'Running', host: placed.host });
    for (const host of HOSTS) await sees(host);
  });
});

describe('what a host does when it is cut off', () => {
  it('is told to it in time, with whom to ask', async () => {
    const { status } = await world.when(Host, 'h1', 'to be told', (host) => host.status?.isolation?.peers.length === 2);
    expect(status?.isolation).toEqual({
      response: 'Shutdown',
      yieldLease: false,
      peers: [
        { name: 'h2', address: '192.0.2.2', port: 9443 },
        { name: 'h3', address: '192.0.2.3', port: 9443 },
      ],
    });
  });

  it('is said of a policy that would fence it long before', async () => {
    const policy = await world.when(
      HAPolicy,
      'moves',
      'to say so',
      (each) => conditionOf(each, 'Ready')?.status === 'False',
    );
    expect(conditionOf(policy, 'Ready')?.reason).toBe('IsolationResponseWithoutLease');
  });
});
