import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Migration } from '../../src/api/migration.ts';
import { RuleGroup } from '../../src/api/rule-group.ts';
import { disklessVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
});
afterEach(async () => {
  await story.lab.powerOn('host-3');
  await story.cleanUp();
});
afterAll(async () => await story.close());

function ruleGroup(name: string, spec: object): object {
  return { apiVersion: 'drover.dev/v1alpha1', kind: 'RuleGroup', metadata: { name, namespace: 'default' }, spec };
}

function groupMigration(name: string, spec: object): object {
  return { apiVersion: 'drover.dev/v1alpha1', kind: 'Migration', metadata: { name, namespace: 'default' }, spec };
}

const pinned = (name: string, host: string) =>
  disklessVM(name, { hostSelector: { matchLabels: { 'kubernetes.io/hostname': host } } });

/** Makes VMs on given hosts that nothing keeps there. */
async function placed(hosts: Readonly<Record<string, string>>): Promise<void> {
  const entries = Object.entries(hosts);
  await story.apply(...entries.map(([name, host]) => pinned(name, host)));
  for (const [name] of entries) {
    await story.running(name);
    await story.kubectl(['patch', 'vm', name, '--type=json', '-p', '[{"op":"remove","path":"/spec/hostSelector"}]']);
  }
}

async function hostsOf(...names: string[]): Promise<(string | undefined)[]> {
  return await Promise.all(names.map(async (name) => (await story.running(name)).status?.host));
}

const satisfied = async (name: string) =>
  await story.when(RuleGroup, { namespace: 'default', name }, 'to be satisfied', ({ status }) =>
    (status?.conditions ?? []).some(
      ({ type, status: value, reason }) => type === 'Satisfied' && value === 'True' && reason === 'Kept',
    ),
  );

const over = async (name: string) =>
  await story.when(Migration, { namespace: 'default', name }, 'to be over', ({ status }) =>
    ['Succeeded', 'Failed'].includes(status?.phase ?? ''),
  );

describe('a rule that comes after its VMs', () => {
  it('moves those apart that are to be apart, and nobody is stopped', async () => {
    await placed({ 'apart-a': 'host-1', 'apart-b': 'host-1', 'apart-c': 'host-1' });
    await story.apply(
      ruleGroup('apart', { type: 'Separate', virtualMachines: { names: ['apart-a', 'apart-b', 'apart-c'] } }),
    );
    const { status } = await story.when(
      RuleGroup,
      { namespace: 'default', name: 'apart' },
      'to say what it does',
      (group) =>
        (group.status?.violations ?? []).some(({ remedy }) => /^Migration .* moves it|^it is moved/.test(remedy ?? '')),
    );
    expect(status?.violations?.[0]).toMatchObject({ host: 'host-1' });
    await satisfied('apart');
    expect((await hostsOf('apart-a', 'apart-b', 'apart-c')).toSorted()).toEqual(['host-1', 'host-2', 'host-3']);
    for (const name of ['apart-a', 'apart-b', 'apart-c'])
      expect((await story.vm(name)).status?.restarts).toBeUndefined();
  });

  it('moves those to their hosts that are to be on them', async () => {
    await placed({ licensed: 'host-1' });
    await story.apply(
      ruleGroup('licences', {
        type: 'VMsToHosts',
        relation: 'MustRunOn',
        hosts: { names: ['host-3'] },
        virtualMachines: { names: ['licensed'] },
      }),
    );
    await satisfied('licences');
    expect(await hostsOf('licensed')).toEqual(['host-3']);
  });

  it('brings those together that are to be together, as one', async () => {
    await placed({ 'pair-a': 'host-1', 'pair-b': 'host-2', 'pair-c': 'host-2' });
    await story.apply(
      ruleGroup('pair', { type: 'KeepTogether', virtualMachines: { names: ['pair-a', 'pair-b', 'pair-c'] } }),
    );
    await satisfied('pair');
    expect(await hostsOf('pair-a', 'pair-b', 'pair-c')).toEqual(['host-2', 'host-2', 'host-2']);
  });

  it('that cannot be kept says why, and leaves its VMs as they are', async () => {
    const names = ['many-a', 'many-b', 'many-c', 'many-d'];
    await placed({ 'many-a': 'host-1', 'many-b': 'host-2', 'many-c': 'host-3', 'many-d': 'host-3' });
    await story.apply(ruleGroup('many', { type: 'Separate', virtualMachines: { names } }));
    const { status } = await story.when(RuleGroup, { namespace: 'default', name: 'many' }, 'to say why', (group) =>
      (group.status?.violations ?? []).some(({ remedy }) => remedy?.startsWith('it cannot be moved now: ')),
    );
    expect(status?.violations).toMatchObject([{ virtualMachine: 'many-d', host: 'host-3' }]);
    expect(status?.violations?.[0]?.remedy).toContain('RuleGroup many keeps the VM apart from many-a, which is there');
    expect(await hostsOf(...names)).toEqual(['host-1', 'host-2', 'host-3', 'host-3']);
  });
});

describe('VMs that keep together', () => {
  beforeAll(async () => await story.cleanUp());

  const rule = ruleGroup('crew', {
    type: 'KeepTogether',
    virtualMachines: { selector: { matchLabels: { crew: 'yes' } } },
  });
  const crew = (name: string, spec: object = {}) => {
    const vm = disklessVM(name, spec);
    return { ...vm, metadata: { name, namespace: 'default', labels: { crew: 'yes' } } };
  };

  /** Kinds are watched apart: a VM that is made together with a rule may be seen before it. */
  async function applyCrew(...vms: readonly object[]): Promise<void> {
    await story.apply(rule);
    await story.when(RuleGroup, { namespace: 'default', name: 'crew' }, 'to be seen', ({ status }) =>
      (status?.conditions ?? []).some(({ type, reason }) => type === 'Ready' && reason !== 'NotSeenYet'),
    );
    await story.apply(...vms);
  }

  it('are moved as one: all arrive; one of them alone is not moved', async () => {
    await applyCrew(crew('crew-a'), crew('crew-b'));
    const [from] = await hostsOf('crew-a', 'crew-b');
    const to = from === 'host-2' ? 'host-3' : 'host-2';
    await story.apply(groupMigration('alone', { virtualMachineName: 'crew-a', targetHost: to }));
    expect((await over('alone')).status?.failures).toMatchObject([
      {
        reason: 'KeepTogether',
        message: expect.stringContaining('move the whole group by a Migration with spec.ruleGroupName'),
      },
    ]);
    await story.apply(groupMigration('all', { ruleGroupName: 'crew', targetHost: to }));
    expect((await over('all')).status).toMatchObject({
      phase: 'Succeeded',
      progressPercent: 100,
      members: [
        { virtualMachine: 'crew-a', sourceHost: from, state: 'Arrived' },
        { virtualMachine: 'crew-b', sourceHost: from, state: 'Arrived' },
      ],
    });
    expect(await hostsOf('crew-a', 'crew-b')).toEqual([to, to]);
  });

  it('all return when one of them cannot be moved', async () => {
    await story.kubectl([
      'patch',
      'cluster',
      'lab',
      '--type=merge',
      '-p',
      '{"spec":{"migration":{"maxPerCluster":1,"bandwidth":"2Mi"}}}',
    ]);
    try {
      await applyCrew(crew('crew-a'), crew('crew-b', { memory: { size: '64Mi' } }));
      const [from] = await hostsOf('crew-a', 'crew-b');
      const to = from === 'host-2' ? 'host-3' : 'host-2';
      await story.apply(groupMigration('half', { ruleGroupName: 'crew', targetHost: to }));
      await story.when(Migration, { namespace: 'default', name: 'half' }, 'to have moved one', ({ status }) =>
        (status?.members ?? []).some(({ state }) => state === 'Arrived'),
      );
      // The one that still waits or moves is halted for a moment: its part is cancelled, and so the whole fails.
      const { status } = await story.client.get(Migration, { namespace: 'default', name: 'half' });
      const late = status?.members?.find(({ state }) => state !== 'Arrived')?.virtualMachine ?? '';
      await story.kubectl(['annotate', 'vm', late, 'drover.dev/restartedAt=now']);
      const half = await over('half');
      expect(half.status).toMatchObject({ phase: 'Failed', failures: [{ reason: 'Cancelled' }] });
      expect(half.status?.members?.map(({ state }) => state)).toEqual(['Returned', 'Returned']);
      expect(await hostsOf('crew-a', 'crew-b')).toEqual([from, from]);
    } finally {
      await story.kubectl([
        'patch',
        'cluster',
        'lab',
        '--type=merge',
        '-p',
        '{"spec":{"migration":{"maxPerCluster":5,"bandwidth":null}}}',
      ]);
    }
  });

  it('leave a host in maintenance as one', async () => {
    await applyCrew(crew('crew-a'), crew('crew-b'));
    const [from = ''] = await hostsOf('crew-a', 'crew-b');
    await story.kubectl(['patch', 'host', from, '--type=merge', '-p', '{"spec":{"maintenance":"Evacuate"}}']);
    try {
      await story.kubectl(['wait', `host/${from}`, '--for=condition=InMaintenance', '--timeout=60s']);
      const hosts = await hostsOf('crew-a', 'crew-b');
      expect(new Set(hosts).size).toBe(1);
      expect(hosts).not.toContain(from);
    } finally {
      await story.kubectl(['patch', 'host', from, '--type=merge', '-p', '{"spec":{"maintenance":"Disabled"}}']);
    }
  });
});

describe('rules of all three types', () => {
  const groups = [
    ruleGroup('kept-apart', { type: 'Separate', virtualMachines: { selector: { matchLabels: { app: 'apart' } } } }),
    ruleGroup('kept-together', { type: 'KeepTogether', virtualMachines: { names: ['with-a', 'with-b'] } }),
    ruleGroup('kept-on', {
      type: 'VMsToHosts',
      relation: 'MustRunOn',
      hosts: { names: ['host-3'] },
      virtualMachines: { names: ['bound'] },
    }),
  ];
  const apart = (name: string) => ({
    ...disklessVM(name),
    metadata: { name, namespace: 'default', labels: { app: 'apart' } },
  });

  it('are kept while a host is lost, by VMs that come meanwhile, and when it is back', async () => {
    await story.apply(...groups);
    for (const name of ['kept-apart', 'kept-together', 'kept-on']) await satisfied(name);
    await story.apply(
      apart('apart-1'),
      apart('apart-2'),
      disklessVM('with-a'),
      disklessVM('with-b'),
      disklessVM('bound'),
    );
    const names = ['apart-1', 'apart-2', 'with-a', 'with-b', 'bound'];
    const before = await hostsOf(...names);
    expect(before[0]).not.toBe(before[1]);
    expect(before[2]).toBe(before[3]);
    expect(before[4]).toBe('host-3');

    await story.lab.killHost('host-3');
    await story.vmWhen('bound', 'to be unknown', ({ status }) => status?.phase === 'Unknown');
    // What may run on the lost host counts there still: unknown is not gone.
    await story.apply(apart('apart-3'));
    const rest = ['host-1', 'host-2', 'host-3'].filter((host) => !before.slice(0, 2).includes(host));
    if (rest[0] === 'host-3') {
      await story.vmWhen('apart-3', 'to wait', ({ status }) =>
        (status?.conditions ?? []).some(({ reason }) => reason === 'NoHostFits'),
      );
    } else {
      expect(await hostsOf('apart-3')).toEqual(rest);
    }
    await story.lab.powerOn('host-3');
    await story.hostsReady();
    expect(await hostsOf(...names)).toEqual(before);
    expect(await hostsOf('apart-3')).toEqual(rest);
    for (const name of ['kept-apart', 'kept-together', 'kept-on']) await satisfied(name);
    for (const name of [...names, 'apart-3']) {
      await story.vmWhen(name, 'to know it', ({ status }) =>
        (status?.conditions ?? []).some(({ type, status: value }) => type === 'RulesSatisfied' && value === 'True'),
      );
    }
  });
});
