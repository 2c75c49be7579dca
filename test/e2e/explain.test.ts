import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RuleGroup } from '../../src/api/rule-group.ts';
import { disklessVM, Story } from './story.ts';

let story: Story;

beforeAll(async () => {
  story = await Story.open();
  await story.hostsReady();
});
afterAll(async () => {
  await story.cleanUp();
  await story.close();
});

const explain = async (...args: string[]) => await story.kubectl(['drover', 'explain', 'vm', ...args]);

describe('kubectl drover explain vm', () => {
  it('says why a VM is where it is, and where else it could be', async () => {
    await story.apply(disklessVM('explained'));
    const host = (await story.running('explained')).status?.host ?? '';
    const text = await explain('explained');
    expect(text).toContain(`VirtualMachine default/explained: Running on ${host} (epoch 1)\n  Ready True: Running: `);
    expect(text).toMatch(
      new RegExp(`Why there, as it was decided:\n  ${host}: chosen; \\d+\\.\\d% of its memory stays free`),
    );
    expect(text).toMatch(/Where it could move now, 2 of 3 hosts:\n/);
    expect(text).toMatch(new RegExp(`  ${host} +no +IsSource: it is the host that the VM leaves`));
    expect(text.match(/ +(best|yes) +\d\.\d\d points: /g)).toHaveLength(2);
  });

  it('names the rule that a VM waits for, with its figures as data', async () => {
    const rule = { apiVersion: 'drover.dev/v1alpha1', kind: 'RuleGroup', metadata: { name: 'nowhere' } };
    const hosts = { names: ['no-such-host'] };
    const spec = { type: 'VMsToHosts', relation: 'MustRunOn', virtualMachines: { names: ['lost'] }, hosts };
    await story.apply({ ...rule, spec });
    await story.apply(disklessVM('lost'));
    await story.vmWhen('lost', 'to wait', ({ status }) =>
      (status?.conditions ?? []).some(({ reason }) => reason === 'NoHostFits'),
    );
    const text = await explain('lost');
    expect(text).toContain('Rule groups:\n  nowhere  required VMsToHosts  lost on no host\n');
    expect(text).toContain(
      'Where it could run now, 0 of 3 hosts:\n  host-1  no  VMsToHosts: RuleGroup nowhere keeps the VM on no host\n',
    );
    expect(JSON.parse(await explain('lost', '-o', 'json'))).toMatchObject({
      virtualMachine: 'default/lost',
      phase: 'Pending',
      ruleGroups: [{ name: 'default/nowhere', type: 'VMsToHosts', isRequired: true }],
      hosts: [
        { host: 'host-1', fits: false, obstacles: [{ reason: 'VMsToHosts', facts: { isOn: true, hosts: [] } }] },
        { host: 'host-2' },
        { host: 'host-3' },
      ],
    });
    await story.client.delete(RuleGroup, { name: 'nowhere', namespace: 'default' });
    await story.running('lost');
  });

  it('says in one line what is wrong with the question', async () => {
    await expect(explain('nobody')).rejects.toThrow(
      'Error: get virtualmachines default/nobody: virtualmachines.drover.dev "nobody" not found',
    );
  });
});
