import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Host } from '../../src/api/host.ts';
import type { VirtualMachine } from '../../src/api/virtual-machine.ts';
import { guestVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
  await story.apply({
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'HAPolicy',
    metadata: { name: 'datastores' },
    spec: {},
  });
  await patch('cluster', 'lab', { ha: { enabled: true, policyName: 'datastores' } });
});

afterAll(async () => {
  await patch('cluster', 'lab', { ha: { enabled: false, policyName: null } });
  await story.kubectl(['delete', 'hapolicy', 'datastores']);
  await story.cleanUp();
  await story.close();
});

async function patch(kind: string, name: string, spec: object): Promise<void> {
  await story.kubectl(['patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec })]);
}

const storageOf = ({ status }: VirtualMachine) => status?.conditions.find(({ type }) => type === 'StorageReachable');

async function sees(host: string, isThere: boolean): Promise<void> {
  await story.when(Host, { name: host }, isThere ? 'to see its datastore' : 'to notice the loss', ({ status }) =>
    Boolean(status?.datastores.some(({ name, loss }) => name === 'shared' && (loss === undefined) === isThere)),
  );
}

describe('a VM whose host alone has lost the datastore', () => {
  let host = '';

  it('runs on, and says what it waits for, where the policy asks for nothing', async () => {
    await story.apply(guestVM('stored'));
    host = (await story.running('stored')).status?.host ?? '';
    await story.says(host, 'stored', /counter=/);
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
    await patch('hapolicy', 'datastores', { datastoreFault: { action: 'Restart' } });
    await story.lab.loseDatastore(host);
    const { status } = await story.vmWhen(
      'stored',
      `to run elsewhere than on ${host}`,
      (vm) => vm.status?.phase === 'Running' && vm.status.host !== host && Boolean(vm.status.lastFailover?.runningAt),
    );
    expect(status?.lastFailover).toMatchObject({ from: host, to: status?.host, proof: 'HostConfirmed' });
    expect((await story.domains()).filter(({ domain }) => domain === 'default_stored')).toEqual([
      { host: status?.host, domain: 'default_stored' },
    ]);
    const { verdict } = await story.booted('stored', [host, status?.host ?? ''], 2);
    expect(verdict).toEqual({ ok: true });
    // It is well but for that datastore, and nobody fences it.
    const seen = await story.when(Host, { name: host }, 'to be online', (each) => each.status !== undefined);
    expect(seen.status?.availability).toMatchObject({ state: 'Online', reason: 'Alive' });
    await story.lab.bringDatastoreBack(host);
    await sees(host, true);
  });
});
