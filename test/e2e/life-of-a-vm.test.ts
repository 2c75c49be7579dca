import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VirtualMachine } from '../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../src/api/virtual-machine-instance.ts';
import { Volume } from '../../src/api/volume.ts';
import { waitFor } from '../lab/wait.ts';
import { guestVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
});
afterAll(async () => {
  await story.cleanUp();
  await story.close();
});

describe('the life of a VM', () => {
  let host = '';

  it('boots from a disk cloned from an image and knows its name', async () => {
    await story.apply(guestVM('web'));
    const vm = await story.running('web');
    host = vm.status?.host ?? '';
    await story.says(host, 'web', /drover-guest web counter=\d+/);
    expect(vm.status?.nics).toMatchObject([{ name: 'lan', mac: expect.stringMatching(/^..(:..){5}$/) }]);
  });

  it('shows its guest tools and host name', async () => {
    const vm = await story.vmWhen('web', 'to have guest tools', ({ status }) => status?.guest?.hostname === 'web');
    const connected = vm.status?.conditions.find(({ type }) => type === 'GuestToolsConnected');
    expect(connected).toMatchObject({ status: 'True' });
  });

  it('answers the first question in kubectl get', async () => {
    const table = await story.kubectl(['get', 'vm', 'web']);
    expect(table).toMatch(/^NAME +PHASE +READY +HOST +AGE\nweb +Running +True +host-\d/);
  });

  it('shows its load in the metrics of the operator', async () => {
    const cpuSeconds = async () => {
      const line = new RegExp(
        `^drover_vm_cpu_seconds_total\\{host="${host}",namespace="default",name="web"\\} (.+)$`,
        'm',
      );
      return Number(line.exec(await story.lab.operatorMetrics())?.[1] ?? 0);
    };
    const whenAbove = async (what: string, seconds: number) =>
      await waitFor(
        what,
        async () => {
          const value = await cpuSeconds();
          return value > seconds ? { ready: true, value } : { ready: false, because: `${value} s` };
        },
        { timeoutMs: 60_000, intervalMs: 500 },
      );
    const first = await whenAbove('the CPU time of web', 0);
    await whenAbove('the CPU time of web to grow', first);
  });

  it('is paused and goes on', async () => {
    await story.kubectl(['patch', 'vm', 'web', '--type=merge', '--patch={"spec":{"paused":true}}']);
    await story.vmWhen('web', 'to be paused', ({ status }) => status?.phase === 'Paused');
    await story.kubectl(['patch', 'vm', 'web', '--type=merge', '--patch={"spec":{"paused":false}}']);
    await story.running('web');
  });

  it('says what waits for a power cycle, and has it after a restart', async () => {
    await story.kubectl(['patch', 'vm', 'web', '--type=merge', '--patch={"spec":{"memory":{"size":"160Mi"}}}']);
    const changed = await story.vmWhen('web', 'to need a restart', ({ status }) =>
      Boolean(status?.conditions.some(({ type, status: value }) => type === 'RestartRequired' && value === 'True')),
    );
    const before = changed.status?.startedAt;
    await story.kubectl(['annotate', 'vm', 'web', '--overwrite', 'drover.dev/restartedAt=now']);
    const restarted = await story.vmWhen(
      'web',
      'to run anew',
      ({ status }) => status?.phase === 'Running' && status.startedAt !== before && status.startedAt !== undefined,
    );
    expect(restarted.status?.conditions.find(({ type }) => type === 'RestartRequired')).toMatchObject({
      status: 'False',
    });
    expect(restarted.status?.host).toBe(host);
    // The power button works from here on: before its kernel is up, no guest hears it.
    await story.booted('web', [host], 2);
  });

  it('shuts its guest down when it is halted, and comes back with its data', async () => {
    await story.kubectl(['patch', 'vm', 'web', '--type=merge', '--patch={"spec":{"runStrategy":"Halted"}}']);
    await story.vmWhen('web', 'to be halted', ({ status }) => status?.phase === 'Halted');
    await story.gone(VirtualMachineInstance, 'web');
    expect((await story.domains()).filter(({ domain }) => domain === 'default_web')).toEqual([]);
    await story.kubectl(['patch', 'vm', 'web', '--type=merge', '--patch={"spec":{"runStrategy":"Always"}}']);
    const vm = await story.running('web');
    expect(vm.status?.epoch).toBe(2);
    const { verdict } = await story.booted('web', [host, vm.status?.host ?? host], 3);
    expect(verdict).toEqual({ ok: true });
  });

  it('is gone with its disk when it is deleted', async () => {
    const volume = await story.client.get(Volume, { namespace: 'default', name: 'web-root' });
    const path = volume.status?.path ?? '';
    const outside = join(story.lab.host('host-1').files.sharedDatastore, path.split('/datastores/shared/')[1] ?? '?');
    expect(existsSync(outside)).toBe(true);
    await story.kubectl(['delete', 'vm', 'web']);
    await story.gone(VirtualMachine, 'web');
    await story.gone(VirtualMachineInstance, 'web');
    await story.gone(Volume, 'web-root');
    expect(existsSync(outside)).toBe(false);
    expect((await story.domains()).filter(({ domain }) => domain === 'default_web')).toEqual([]);
  });

  it('that is made anew at once under the same name has a disk of its own', async () => {
    await story.apply(guestVM('anew', { terminationGracePeriodSeconds: 0 }));
    await story.running('anew');
    const first = await story.client.get(Volume, { namespace: 'default', name: 'anew-root' });
    await story.kubectl(['delete', 'vm', 'anew']);
    await story.apply(guestVM('anew'));
    await story.running('anew');
    const second = await story.client.get(Volume, { namespace: 'default', name: 'anew-root' });
    expect(second.metadata.uid).not.toBe(first.metadata.uid);
    expect(second.metadata.deletionTimestamp).toBeUndefined();
  });
});

describe('bad YAML is refused at the door, with the field and the fix', () => {
  const broken = (spec: object) => ({ ...guestVM('bad'), spec: { memory: { size: '128Mi' }, ...spec } });
  it.each([
    ['a memory size without meaning', broken({ memory: { size: 'lots' } }), /spec\.memory\.size/],
    ['no memory at all', { ...guestVM('bad'), spec: {} }, /VirtualMachine\.spec\): missing required field "memory"/],
    [
      'a MAC address of another form',
      broken({ nics: [{ name: 'a', portGroup: 'lan', mac: '52-54-00-12-34-56' }] }),
      /spec\.nics\[0\]\.mac/,
    ],
    [
      'two disks of one name',
      broken({
        disks: [
          { name: 'a', volumeName: 'x' },
          { name: 'a', volumeName: 'y' },
        ],
      }),
      /Duplicate value.*"?a"?/,
    ],
    [
      'a disk with two sources',
      broken({ disks: [{ name: 'a', volumeName: 'x', volumeTemplate: { datastoreName: 'shared', size: '1Gi' } }] }),
      /exactly one of volumeName/,
    ],
    ['a boot order of unknown devices', broken({ bootOrder: ['nowhere'] }), /bootOrder/],
    [
      'a run strategy that there is not',
      broken({ runStrategy: 'Sometimes' }),
      /runStrategy.*"Always", "RerunOnFailure", "Halted"/,
    ],
    ['more vCPUs than there can be', broken({ cpu: { sockets: 64, coresPerSocket: 64 } }), /at most 255 vCPUs/],
    ['a field that there is not', broken({ memoryy: 1 }), /unknown field "memoryy"/],
    ['a name that no host name can be', { ...guestVM('x'.repeat(70)) }, /at most 63 characters/],
  ])('%s', async (_what, object, words) => {
    await expect(story.apply(object)).rejects.toThrow(words);
  });
});
