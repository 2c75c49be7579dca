import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../lab/run.ts';
import { disklessVM, Story } from './story.ts';

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
    expect(await cpuOf('before')).toContain("mode='maximum'");
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
    expect(await story.kubectl(['get', 'cluster', 'lab', '-o', columns])).toBe(
      'VMs are started with Icelake-Server-noTSX; hosts that cannot present it get none: host-1 (at most Westmere), host-2 (at most Westmere), host-3 (at most Westmere)',
    );
  });
});
