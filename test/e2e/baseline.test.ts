import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../../src/api/cluster.ts';
import { Host } from '../../src/api/host.ts';
import { Migration } from '../../src/api/migration.ts';
import { run } from '../lab/run.ts';
import { disklessVM, guestVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
});
afterAll(async () => {
  await setImc({ mode: 'Disabled', baseline: null });
  await story.cleanUp();
  await story.close();
});

async function setImc(imc: object): Promise<void> {
  await story.kubectl(['patch', 'cluster', 'lab', '--type=merge', '-p', JSON.stringify({ spec: { imc } })]);
}

/** The `<cpu>` of the domain, as libvirt has it. */
async function cpuOf(name: string): Promise<string> {
  const host = (await story.running(name)).status?.host ?? '';
  const xml = await run('virsh', ['-c', story.lab.host(host).libvirtUri, 'dumpxml', `default_${name}`]);
  return /<cpu .*?<\/cpu>/s.exec(xml)?.[0] ?? '';
}

describe('a CPU baseline of the Cluster', () => {
  it('is what VMs see that are started from then on; those that run are told to restart, and have it then', async () => {
    await story.apply(disklessVM('before'));
    await story.running('before');
    const { cpu } = (await story.instance('before')).status ?? {};
    expect(cpu?.features).toEqual(expect.arrayContaining(['aes', 'lm', 'pclmuldq']));
    await setImc({ mode: 'Baseline', baseline: 'Nehalem' });
    await story.apply(disklessVM('after'));
    expect(await cpuOf('after')).toMatch(/mode='custom' match='exact'.*<model fallback='forbid'>Nehalem<\/model>/s);
    const told = await story.vmWhen('before', 'to be told', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: value }) => type === 'RestartRequired' && value === 'True'),
    );
    expect(told.status?.conditions.find(({ type }) => type === 'RestartRequired')?.message).toMatch(/^cpu changed; /);
    await story.kubectl(['annotate', 'vm', 'before', 'drover.dev/restartedAt=now']);
    await story.vmWhen('before', 'to have it', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: value }) => type === 'RestartRequired' && value === 'False'),
    );
    expect(await cpuOf('before')).toContain('>Nehalem</model>');
  });

  it('of every host at once is the newest that all of them have', async () => {
    await setImc({ mode: 'Auto', baseline: null });
    await story.apply(disklessVM('automatic'));
    expect(await story.kubectl(['get', 'cluster', 'lab'])).toMatch(/ CPU +AGE\n.* Westmere +/);
    expect(await cpuOf('automatic')).toContain('>Westmere</model>');
  });

  it('that no host can present keeps VMs waiting, and says what each host can', async () => {
    await setImc({ mode: 'Baseline', baseline: 'Icelake-Server-noTSX' });
    await story.apply(disklessVM('too-new'));
    const vm = await story.vmWhen('too-new', 'to wait', ({ status }) =>
      (status?.conditions ?? []).some(({ reason }) => reason === 'NoHostFits'),
    );
    expect(vm.status?.conditions.find(({ type }) => type === 'Scheduled')?.message).toContain(
      '0/3 hosts fit: 3 CPUNotCompatible',
    );
    const columns = 'jsonpath={.status.conditions[?(@.type=="BaselineReady")].message}';
    expect(await story.kubectl(['get', 'cluster', 'lab', '-o', columns])).toEqual(
      expect.stringMatching(
        /^VMs are started with Icelake-Server-noTSX\. Hosts that cannot present it get none: host-1 \(at most Westmere; it lacks .*avx512f.*\), host-2 /,
      ),
    );
  });
});

describe('a Cluster of an older and a newer host', () => {
  const [newer, older] = ['host-2', 'host-3'];
  let hadKvm = false;

  beforeAll(async () => {
    await setImc({ mode: 'Disabled', baseline: null });
    await story.kubectl(['delete', 'vm', '--all', '--namespace=default']);
    // Under KVM a guest has the machine's own CPU, which cannot be made older.
    hadKvm = (await story.client.get(Host, { name: newer })).status?.virtualization === 'kvm';
    if (hadKvm) await story.lab.setCpu(newer, 'Emulated');
    await story.lab.setCpu(older, 'Nehalem');
    await story.when(Host, { name: older }, 'to tell of its CPU', ({ status }) => !can(status, 'Westmere'));
    await story.hostsReady();
    await story.kubectl(['label', 'hosts', newer, older, 'example.org/mixed=yes']);
  });
  afterAll(async () => {
    await setImc({ mode: 'Disabled', baseline: null });
    await story.cleanUp();
    await story.kubectl(['label', 'hosts', newer, older, 'example.org/mixed-', 'example.org/first-']);
    await story.lab.setCpu(older, undefined);
    if (hadKvm) await story.lab.setCpu(newer, undefined);
    await story.when(Host, { name: older }, 'to be as before', ({ status }) => can(status, 'Westmere'));
    await story.hostsReady();
  });

  const can = (status: Host['status'], model: string) => status?.cpu?.usableModels.includes(model) ?? false;
  const mixed = { hostSelector: { matchLabels: { 'example.org/mixed': 'yes' } } };

  /** A VM that the newer host starts. */
  async function startedOnNewer(name: string): Promise<void> {
    await story.kubectl(['cordon', older]);
    await story.when(Host, { name: older }, 'to be in maintenance', ({ status }) => status?.evacuation !== undefined);
    await story.apply(guestVM(name, { ...mixed, terminationGracePeriodSeconds: 0 }));
    expect((await story.running(name)).status?.host).toBe(newer);
    await story.kubectl(['uncordon', older]);
    await story.when(Host, { name: older }, 'to take VMs', ({ status }) => status?.evacuation === undefined);
  }

  async function migrate(name: string, vm: string): Promise<Migration> {
    const spec = { virtualMachineName: vm, targetHost: older };
    const metadata = { name, namespace: 'default' };
    await story.apply({ apiVersion: 'drover.dev/v1alpha1', kind: 'Migration', metadata, spec });
    return await story.when(Migration, metadata, 'to be over', ({ status }) =>
      ['Succeeded', 'Failed'].includes(status?.phase ?? ''),
    );
  }

  it('cannot move a VM to the older one without a baseline: it says what is missing, before anything moves', async () => {
    await startedOnNewer('modern');
    const { status } = await migrate('without', 'modern');
    expect(status).toMatchObject({ phase: 'Failed', failures: [{ reason: 'CPUNotCompatible' }] });
    expect(status?.failures?.[0]?.message).toMatch(
      /^host host-3: its CPU lacks .*aes.*, which the guest has seen; a CPU baseline \(spec.imc of the Cluster\) makes VMs movable/,
    );
    const vm = await story.vmWhen('modern', 'to know that', ({ status: told }) =>
      (told?.conditions ?? []).some(({ type, reason }) => type === 'Migratable' && reason === 'CPUNotCompatible'),
    );
    expect(vm.status).toMatchObject({ phase: 'Running', host: newer });
  });

  it('moves it with one, after the restart that the VM asks for', async () => {
    await setImc({ mode: 'Auto', baseline: null });
    await story.when(
      Cluster,
      { name: 'lab' },
      'to have a baseline',
      ({ status }) => status?.baseline?.level === 'Nehalem',
    );
    await story.vmWhen('modern', 'to ask for a restart', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: value }) => type === 'RestartRequired' && value === 'True'),
    );
    const before = await migrate('too-early', 'modern');
    expect(before.status).toMatchObject({ phase: 'Failed', failures: [{ reason: 'CPUNotCompatible' }] });
    await story.kubectl(['annotate', 'vm', 'modern', 'drover.dev/restartedAt=now']);
    await story.vmWhen('modern', 'to have the baseline', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: value }) => type === 'RestartRequired' && value === 'False'),
    );
    expect((await story.instance('modern')).status?.cpu).toEqual({ model: 'Nehalem' });
    await story.vmWhen('modern', 'to be movable', ({ status: told }) =>
      (told?.conditions ?? []).some(({ type, status: value }) => type === 'Migratable' && value === 'True'),
    );
    const { status } = await migrate('with', 'modern');
    expect(status).toMatchObject({ phase: 'Succeeded', sourceHost: newer, targetHost: older });
    expect(await cpuOf('modern')).toContain('>Nehalem</model>');
    expect((await story.instance('modern')).status?.cpu).toEqual({ model: 'Nehalem' });
  });

  it('keeps the older one out of a level that it lacks a feature of, and names the feature', async () => {
    await setImc({ mode: 'Baseline', baseline: 'Westmere' });
    const host = await story.when(Host, { name: older }, 'to be told', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: value }) => type === 'CPUCompatible' && value === 'False'),
    );
    expect(host.status?.conditions.find(({ type }) => type === 'CPUCompatible')).toMatchObject({
      reason: 'FeaturesMissing',
      message:
        'it cannot present Westmere, the CPU baseline of Cluster "lab": it lacks aes. It gets no VMs of the Cluster; lower the baseline, or give the host another Cluster',
    });
    const cluster = await story.client.get(Cluster, { name: 'lab' });
    expect(cluster.status?.baseline?.blockedHosts).toEqual([
      { host: older, best: 'Nehalem', missingFeatures: ['aes'] },
    ]);
    await story.apply(disklessVM('newest', mixed));
    expect((await story.running('newest')).status?.host).toBe(newer);
  });

  it('is not lowered below what a VM runs with, which is named', async () => {
    await setImc({ mode: 'Baseline', baseline: 'Nehalem' });
    const cluster = await story.when(Cluster, { name: 'lab' }, 'to refuse', ({ status }) => {
      return status?.baseline?.refused !== undefined;
    });
    expect(cluster.status?.baseline).toMatchObject({
      level: 'Westmere',
      refused: { level: 'Nehalem', virtualMachines: ['default/newest'] },
    });
    await story.kubectl(['delete', 'vm', 'newest', '--namespace=default']);
    await story.when(Cluster, { name: 'lab' }, 'to be lowered', ({ status }) => status?.baseline?.level === 'Nehalem');
    await story.when(Host, { name: older }, 'to belong to it again', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: value }) => type === 'CPUCompatible' && value === 'True'),
    );
  });
});
