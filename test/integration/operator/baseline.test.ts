import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../../../src/api/cluster.ts';
import { Host } from '../../../src/api/host.ts';
import type { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { conditionOf, World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await World.open('operator-baseline');
  world.startOperator();
});
afterAll(() => world.close());

const cpu = (...usableModels: string[]) => ({
  cpu: {
    model: 'any',
    vendor: 'Intel',
    sockets: 1,
    coresPerSocket: 8,
    threadsPerCore: 1,
    usableModels,
    features: ['lm'],
    unusableLevels: usableModels.includes('Westmere') ? [] : [{ name: 'Westmere', missingFeatures: ['aes'] }],
  },
});

async function setImc(imc: object): Promise<void> {
  // A merge patch takes away what is null.
  const body = { spec: { imc: { baseline: null, ...imc } } };
  await world.client.patch(Cluster, { name: 'lab' }, { type: 'merge', body });
}

async function clusterWhen(reason: string, level?: string): Promise<Cluster> {
  return await world.when(Cluster, 'lab', `to have a baseline that is ${reason}`, (cluster) => {
    const isThere = conditionOf(cluster, 'BaselineReady')?.reason === reason;
    return isThere && cluster.status?.baseline?.level === level;
  });
}

async function modelOf(name: string, model: string | undefined): Promise<VirtualMachineInstance> {
  return await world.instanceWhen(name, `to have CPU ${model}`, ({ spec }) => spec.cpu.model === model);
}

const waitsFor = (reason: string) => (vm: VirtualMachine) => conditionOf(vm, 'Ready')?.reason === reason;

describe('a CPU baseline', () => {
  it('that is automatic keeps VMs waiting until a host has told of its CPU, and is what all hosts have', async () => {
    await world.addHost('h1');
    await setImc({ mode: 'Auto' });
    await clusterWhen('NoHostReported');
    await world.addVM('first');
    const waiting = await world.vmWhen('first', 'to wait', waitsFor('BaselineNotReady'));
    expect(conditionOf(waiting, 'Ready')?.message).toBe(
      'Cluster "lab" has no CPU baseline yet (spec.imc): no host has told yet which CPU models it can present',
    );
    await world.addHost('h1', cpu('Nehalem', 'Westmere'));
    await clusterWhen('InEffect', 'Westmere');
    await modelOf('first', 'Westmere');
  });

  it('is not lowered by a host that comes while VMs have more: it gets no VMs', async () => {
    await world.addHost('h2', cpu('Nehalem'));
    const cluster = await clusterWhen('LowerThanPlacedVMs', 'Westmere');
    expect(cluster.status?.baseline).toEqual({
      level: 'Westmere',
      blockedHosts: [{ host: 'h2', best: 'Nehalem', missingFeatures: ['aes'] }],
      refused: { level: 'Nehalem', virtualMachines: ['default/first'] },
    });
    expect(conditionOf(cluster, 'BaselineReady')?.message).toBe(
      'Nehalem is lower than Westmere; it is taken once these VMs are off, and Westmere stays till then: default/first. Hosts that cannot present it get none: h2 (at most Nehalem; it lacks aes)',
    );
    await world.addVM('second');
    expect((await modelOf('second', 'Westmere')).spec.host).toBe('h1');
  });

  it('falls once the VMs that have more are off', async () => {
    for (const name of ['first', 'second']) {
      await world.editVM(name, { runStrategy: 'Halted' });
      await world.agentReports(
        await world.instanceWhen(name, 'to be off', ({ spec }) => spec.powerState === 'Off'),
        'Off',
      );
      await world.gone(VirtualMachineInstance, name);
    }
    await clusterWhen('InEffect', 'Nehalem');
    await world.editVM('first', { runStrategy: 'Always' });
    await modelOf('first', 'Nehalem');
  });

  it('that is asked for is raised at once; placed VMs follow at their next power cycle, where their host can', async () => {
    const { host } = (await modelOf('first', 'Nehalem')).spec;
    await world.when(Host, 'h2', 'to be compatible', (h2) => conditionOf(h2, 'CPUCompatible')?.status === 'True');
    await setImc({ mode: 'Baseline', baseline: 'Westmere' });
    const cluster = await clusterWhen('HostsBlocked', 'Westmere');
    expect(conditionOf(cluster, 'BaselineReady')?.message).toBe(
      'VMs are started with Westmere. Hosts that cannot present it get none: h2 (at most Nehalem; it lacks aes)',
    );
    const h2 = await world.when(Host, 'h2', 'to lack a feature', (object) => {
      return conditionOf(object, 'CPUCompatible')?.status === 'False';
    });
    expect(conditionOf(h2, 'CPUCompatible')).toMatchObject({
      reason: 'FeaturesMissing',
      message: expect.stringMatching(/^it cannot present Westmere, the CPU baseline of Cluster "lab": it lacks aes\. /),
    });
    await modelOf('first', host === 'h1' ? 'Westmere' : 'Nehalem');
    await world.addVM('third');
    const third = await modelOf('third', 'Westmere');
    expect(third.spec.host).toBe('h1');
    expect(third.metadata.annotations['drover.dev/placement']).toContain(
      'h2: CPUNotCompatible: its CPU cannot present Westmere: it lacks aes; a CPU baseline (spec.imc of the Cluster) makes VMs movable between CPUs',
    );
  });

  it('is gone when it is disabled', async () => {
    await setImc({ mode: 'Disabled' });
    await clusterWhen('Disabled');
    await modelOf('third', undefined);
    await world.when(Host, 'h2', 'to need none', (h2) => conditionOf(h2, 'CPUCompatible')?.reason === 'NoBaseline');
  });
});
