import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Run } from '../../../src/core/instance/index.ts';
import { eventually } from '../eventually.ts';
import { AgentWorld } from './agent-world.ts';

let world: AgentWorld;

beforeAll(async () => {
  world = await AgentWorld.open('agent-recovery');
  await world.startAgent();
});
afterAll(async () => {
  await world?.remove();
});

/** Kills the agent at once, lets things happen without it, and starts another. */
async function withoutAgent(meanwhile: () => Promise<void>): Promise<void> {
  await world.killAgent();
  try {
    await meanwhile();
  } finally {
    await world.startAgent();
  }
}

async function running(name: string, changes: Parameters<AgentWorld['create']>[1] = {}) {
  const vm = world.fresh(name);
  const { spec } = await world.create(vm, changes);
  await world.phase(vm.name, 'Running');
  const domain = await world.domain(vm.name);
  if (domain === undefined) throw new Error(`${vm.name} is Running and has no domain`);
  return { ...vm, spec, id: domain.id };
}

const recorded = (changes: Partial<Run> = {}): Run => ({
  epoch: 1,
  restartedAt: '',
  startedAt: new Date().toISOString(),
  restarts: 0,
  ...changes,
});

describe('an agent that was killed', () => {
  it('finds its VMs running and leaves them so', async () => {
    const vm = await running('steady');
    const before = await world.status(vm.name);
    await withoutAgent(() => Promise.resolve());
    await world.change(vm.name, { gracePeriodSeconds: 1 });
    const after = await world.statusWhere(vm.name, 'seen again', ({ observedGeneration }) => observedGeneration === 2);
    expect(after).toMatchObject({ phase: 'Running', startedAt: before?.startedAt });
    expect((await world.domain(vm.name))?.id).toBe(vm.id);
    expect(world.decisions(vm.name)).toEqual([]);
  });

  it.each([
    ['its QEMU died', 'Always', 'Running', 'Crashed', 1],
    ['its guest shut down', 'Always', 'Running', 'Shutdown', 1],
    ['its guest shut down', 'OnFailure', 'Off', 'Shutdown', undefined],
  ] as const)(
    'reads in the log that meanwhile %s, and %s makes it %s',
    async (what, restartPolicy, phase, reason, restarts) => {
      const vm = await running('unseen', { restartPolicy });
      await withoutAgent(async () => {
        await (what === 'its QEMU died' ? world.killQemu(vm.name) : world.guestPowersOff(vm.name));
        await eventually('the domain is gone', async () => (await world.domain(vm.name)) === undefined);
      });
      const status = await world.statusWhere(
        vm.name,
        phase,
        (seen) => seen.phase === phase && seen.lastStop !== undefined,
      );
      expect(status.lastStop?.reason).toBe(reason);
      expect(status.restarts).toBe(restarts);
    },
  );

  it('destroys a domain whose VM was moved to another host meanwhile', async () => {
    const vm = await running('moved');
    await withoutAgent(async () => {
      await world.change(vm.name, { host: 'elsewhere', epoch: 2 });
      expect(await world.domain(vm.name)).toBeDefined();
    });
    await eventually('the domain is gone', async () => (await world.domain(vm.name)) === undefined);
    // It came back with the old placement: this host has seen the newer one.
    await world.delete(vm.name);
    await world.create(vm, { epoch: 1 });
    expect(await world.phase(vm.name, 'Failed')).toMatchObject({ reason: 'OldEpoch' });
    expect(await world.domain(vm.name)).toBeUndefined();
  });

  it('carries out a restart that was asked for meanwhile, once', async () => {
    const vm = await running('asked');
    await withoutAgent(async () => {
      await world.change(vm.name, { restartedAt: 'now' });
    });
    const status = await world.statusWhere(
      vm.name,
      'restarted',
      ({ restartedAt, phase }) => restartedAt === 'now' && phase === 'Running',
    );
    expect(status.restarts).toBeUndefined();
    expect(world.decisions(vm.name)).toEqual(['Destroy', 'Start']);
  });
});

describe('an agent that was killed right after', () => {
  it('it had recorded a start: the VM is started', async () => {
    const vm = world.fresh('recorded');
    await withoutAgent(async () => {
      world.writeRecords({ [vm.uid]: { epoch: 1, run: { ...recorded(), logOffset: 0 } } });
      await world.create(vm);
    });
    expect((await world.phase(vm.name, 'Running')).restarts).toBeUndefined();
  });

  it('libvirt had started the domain: it is found, not started twice', async () => {
    const vm = world.fresh('started');
    const startedAt = new Date().toISOString();
    let id: number | undefined;
    await withoutAgent(async () => {
      world.writeRecords({
        [vm.uid]: { epoch: 1, run: recorded({ startedAt, restarts: 3, restartDelaySeconds: 20 }) },
      });
      const { spec } = await world.create(vm);
      await world.createDomain(vm, spec, startedAt);
      id = (await world.domain(vm.name))?.id;
    });
    expect(await world.phase(vm.name, 'Running')).toMatchObject({ startedAt, restarts: 3, restartDelaySeconds: 20 });
    expect((await world.domain(vm.name))?.id).toBe(id);
  });

  it('it had destroyed a domain to restart it: the VM is started, whatever its policy', async () => {
    const vm = await running('halfway', { restartPolicy: 'OnFailure' });
    await withoutAgent(async () => {
      await world.change(vm.name, { restartedAt: 'again' });
      await world.guestPowersOff(vm.name);
      await eventually('the domain is gone', async () => (await world.domain(vm.name)) === undefined);
    });
    const status = await world.statusWhere(
      vm.name,
      'restarted',
      ({ phase, restartedAt }) => phase === 'Running' && restartedAt === 'again',
    );
    expect(status.restarts).toBeUndefined();
  });

  it('it had recorded a newer epoch: the domain takes it over', async () => {
    const vm = await running('adopting');
    await withoutAgent(async () => {
      world.writeRecords({
        [vm.uid]: { epoch: 2, run: recorded({ startedAt: (await world.status(vm.name))?.startedAt ?? '' }) },
      });
      await world.change(vm.name, { epoch: 2 });
    });
    await world.statusWhere(
      vm.name,
      'adopted',
      ({ observedEpoch, phase }) => observedEpoch === 2 && phase === 'Running',
    );
    expect(await world.domain(vm.name)).toMatchObject({ id: vm.id, identity: { epoch: 2 } });
  });

  it('it had asked the guest to shut down: the next one cuts the power in time', async () => {
    const vm = await running('asking', { gracePeriodSeconds: 4 });
    await world.change(vm.name, { powerState: 'Off' });
    const { powerOffAt = '' } = await world.phase(vm.name, 'Stopping');
    await withoutAgent(() => Promise.resolve());
    const { lastStop } = await world.phase(vm.name, 'Off');
    expect(Date.parse(lastStop?.at ?? '')).toBeGreaterThanOrEqual(Date.parse(powerOffAt));
    expect(world.decisions(vm.name)).toEqual(['Destroy']);
  });
});

describe('a placement', () => {
  it('of a newer epoch on the same host takes over the running domain', async () => {
    const vm = await running('adopt');
    await world.change(vm.name, { epoch: 5 });
    await world.statusWhere(vm.name, 'adopted', ({ observedEpoch }) => observedEpoch === 5);
    expect(await world.domain(vm.name)).toMatchObject({ id: vm.id, identity: { epoch: 5, virtualMachineUID: vm.uid } });
    // An older one, as after etcd was restored from a backup, does not harm it.
    await world.delete(vm.name);
    await world.create(vm, { epoch: 3 });
    const status = await world.phase(vm.name, 'Failed');
    expect(status).toMatchObject({ reason: 'OldEpoch', observedEpoch: 3 });
    expect(status.message).toContain('epoch 5');
    expect((await world.domain(vm.name))?.id).toBe(vm.id);
  });

  it('that is gone leaves its domain running, and one that comes back takes it over', async () => {
    const vm = await running('stray');
    await world.delete(vm.name);
    await eventually('known as stray', () => world.logged('a domain runs without an intent', `default_${vm.name}`));
    expect((await world.domain(vm.name))?.id).toBe(vm.id);
    await world.create(vm, { epoch: 2 });
    await world.statusWhere(
      vm.name,
      'adopted',
      ({ observedEpoch, phase }) => observedEpoch === 2 && phase === 'Running',
    );
    expect((await world.domain(vm.name))?.id).toBe(vm.id);
  });

  it('of another VM with the name of a stray waits until that is gone', async () => {
    const vm = await running('namesake');
    await world.delete(vm.name);
    const other = { ...world.fresh('other'), name: vm.name };
    await world.create(other);
    expect(await world.phase(vm.name, 'Failed')).toMatchObject({ reason: 'StrayDomain' });
    await world.virsh('destroy', `default_${vm.name}`);
    await world.phase(vm.name, 'Running');
    expect((await world.domain(vm.name))?.identity?.virtualMachineUID).toBe(other.uid);
  });
});

describe('a domain that Drover did not make', () => {
  const foreignXml = (name: string, uuid: string) =>
    `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>32</memory><os><type machine='q35'>hvm</type></os></domain>`;

  it('is not touched, even when a VM needs its name', async () => {
    const vm = world.fresh('taken');
    const file = await world.file(
      'taken.xml',
      foreignXml(`default_${vm.name}`, 'f0000000-0000-4000-8000-000000000001'),
    );
    await world.virsh('create', file);
    const foreign = await world.domain(vm.name);
    await world.create(vm);
    await world.statusWhere(vm.name, 'blocked', ({ reason }) => reason === 'DomainNameTaken');
    expect(await world.domain(vm.name)).toEqual(foreign);
    await world.virsh('destroy', `default_${vm.name}`);
    await world.phase(vm.name, 'Running');
  });

  it('that is only defined keeps its UUID', async () => {
    const vm = world.fresh('uuid');
    const file = await world.file('uuid.xml', foreignXml('pet', vm.domainUUID));
    await world.virsh('define', file);
    await world.create(vm);
    const status = await world.statusWhere(vm.name, 'blocked', ({ reason }) => reason === 'DomainUUIDTaken');
    expect(status.message).toContain('pet');
    await world.virsh('undefine', 'pet');
    await world.phase(vm.name, 'Running');
  });
});
