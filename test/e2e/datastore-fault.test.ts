import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import type { VirtualMachine } from '../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../src/api/virtual-machine-instance.ts';
import { HaStory, onHosts } from './ha-story.ts';
import type { Story } from './story.ts';

let ha: HaStory;
let story: Story;

beforeAll(async () => {
  ha = await HaStory.open('datastores', { policy: {} });
  story = ha.story;
});
afterAll(async () => await ha.close());

const storageOf = ({ status }: VirtualMachine) => status?.conditions.find(({ type }) => type === 'StorageReachable');

async function sees(host: string, isThere: boolean): Promise<void> {
  await story.when(Host, { name: host }, isThere ? 'to see its datastore' : 'to notice the loss', ({ status }) =>
    Boolean(status?.datastores.some(({ name, loss }) => name === 'shared' && (loss === undefined) === isThere)),
  );
}

describe('a VM whose host alone has lost the datastore', () => {
  let host = '';

  it('runs on, and says what it waits for, where the policy asks for nothing', async () => {
    host = await ha.counting('stored');
    await story.lab.loseDatastore(host);
    await sees(host, false);
    const told = await story.vmWhen('stored', 'to tell of the loss', (vm) => storageOf(vm)?.status === 'False');
    expect(storageOf(told)).toMatchObject({
      reason: 'PermanentlyLost',
      message: expect.stringContaining('datastoreFault.action None'),
    });
    // Longer than a policy that asks for it would take.
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    expect(await story.domains()).toContainEqual({ host, domain: 'default_stored' });
    expect((await story.vm('stored')).status?.epoch).toBe(1);
    await story.lab.bringDatastoreBack(host);
    await sees(host, true);
    await story.vmWhen('stored', 'to see its storage', (vm) => storageOf(vm)?.status === 'True');
  });

  it('is stopped there and runs elsewhere, by the word of its host, where the policy asks for it', async () => {
    await ha.patchPolicy({ datastoreFault: { action: 'Restart' } });
    await story.lab.loseDatastore(host);
    const { status } = await ha.movedFrom('stored', host);
    expect(status?.lastFailover).toMatchObject({ from: host, to: status?.host, proof: 'HostConfirmed' });
    await ha.hadOneOwner('stored', [host, status?.host ?? ''], 2);
    // It is well but for that datastore, and nobody fences it.
    const seen = await story.when(Host, { name: host }, 'to be online', (each) => each.status !== undefined);
    expect(seen.status?.availability).toMatchObject({ state: 'Online', reason: 'Alive' });
    await story.lab.bringDatastoreBack(host);
    await sees(host, true);
  });
});

describe('a VM whose host has lost all paths to the datastore', () => {
  const host = 'host-1';
  const labHost = () => story.lab.host(host);

  beforeAll(async () => {
    await ha.patchPolicy({ datastoreFault: { action: 'Restart', delaySeconds: 0, allPathsDownSeconds: 15 } });
    await labHost().addDatastorePaths();
    await sees(host, true);
  });
  afterAll(async () => await labHost().removeDatastorePaths());

  const isLost = async () => {
    const told = await story.vmWhen('paths', 'to tell of the loss', (vm) => storageOf(vm)?.status === 'False');
    expect(storageOf(told)?.reason).toBe('AllPathsDown');
  };

  it('goes on where it was when they are back in time', async () => {
    await ha.counting('paths', onHosts(host));
    await ha.patch('vm', 'paths', { hostSelector: null });
    await labHost().cutDatastorePaths();
    await isLost();
    await labHost().mendDatastorePaths();
    await sees(host, true);
    await story.vmWhen('paths', 'to see its storage', (vm) => storageOf(vm)?.status === 'True');
    expect((await story.vm('paths')).status).toMatchObject({ phase: 'Running', host, epoch: 1 });
    await ha.hadOneOwner('paths', [host], 1);
  });

  it('runs nowhere else while its QEMU hangs in the datastore and cannot be killed, and elsewhere when that is over', async () => {
    await labHost().cutDatastorePaths();
    await isLost();
    await story.when(
      VirtualMachineInstance,
      { namespace: 'default', name: 'paths' },
      'to be stopped',
      ({ spec }) => spec.powerState === 'Off',
    );
    // It has been killed by then, and is not gone.
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    expect((await story.instance('paths')).spec).toMatchObject({ host, epoch: 1 });
    expect((await story.domains()).filter((each) => each.domain === 'default_paths' && each.host !== host)).toEqual([]);
    expect(labHost().hasPower()).toBe(true);
    // With the paths back it would as well start again where it was.
    await labHost().failDatastorePaths();
    const { status } = await ha.movedFrom('paths', host);
    expect(status?.lastFailover).toMatchObject({ from: host, proof: 'HostConfirmed' });
    await ha.hadOneOwner('paths', [host, status?.host ?? ''], 2);
  });
});
