import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_VERSION } from '../../../src/api/common/names.ts';
import { RuleGroup } from '../../../src/api/rule-group.ts';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { eventually } from '../eventually.ts';
import { conditionOf, World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await World.open('operator-rules');
  world.startOperator();
  for (const name of ['h1', 'h2', 'h3']) await world.addHost(name);
});
afterAll(() => world.close());

async function addRule(name: string, spec: object): Promise<void> {
  const metadata = { name, namespace: 'default' };
  await world.create({ apiVersion: API_VERSION, kind: 'RuleGroup', metadata, spec }, RuleGroup);
  // Kinds are watched apart: a VM that is made now may be seen before the rule is.
  await world.when(RuleGroup, name, 'to be seen', (rule) => conditionOf(rule, 'Ready')?.reason !== 'NotSeenYet');
}

const bySelector = (app: string) => ({ virtualMachines: { selector: { matchLabels: { app } } } });
const byNames = (...names: string[]) => ({ virtualMachines: { names } });

async function ruleWhen(name: string, reason: string, type = 'Ready'): Promise<RuleGroup> {
  return await world.when(RuleGroup, name, `to be ${reason}`, (rule) => conditionOf(rule, type)?.reason === reason);
}

async function hostOf(name: string): Promise<string> {
  return (await world.instanceWhen(name, 'to be placed')).spec.host;
}

async function addVMs(app: string, ...names: string[]): Promise<string[]> {
  for (const name of names) await world.addVM(name, {}, { labels: { app } });
  return await Promise.all(names.map(hostOf));
}

describe('a RuleGroup', () => {
  it('keeps VMs apart that its selector picks, and says of one too many that it waits for a host', async () => {
    await addRule('replicas', { type: 'Separate', ...bySelector('db') });
    expect(conditionOf(await ruleWhen('replicas', 'NoMembers'), 'Ready')).toMatchObject({
      status: 'True',
      message: 'no VirtualMachine fits it now; it counts once one does',
    });
    expect((await addVMs('db', 'db-1', 'db-2', 'db-3')).toSorted()).toEqual(['h1', 'h2', 'h3']);
    await world.addVM('db-4', {}, { labels: { app: 'db' } });
    const waiting = await world.vmWhen('db-4', 'to wait', (vm) => conditionOf(vm, 'Ready')?.reason === 'NoHostFits');
    expect(conditionOf(waiting, 'Scheduled')?.message).toMatch(
      /^0\/3 hosts fit: 3 Separate\nh1: Separate: RuleGroup replicas keeps the VM apart from db-\d, which is there\n/,
    );
    const rule = await ruleWhen('replicas', 'MoreMembersThanHosts');
    expect(conditionOf(rule, 'Ready')?.message).toBe(
      '4 VMs need a host each, and there are 3; VMs that find none stay Pending',
    );
    expect(rule.status).toMatchObject({ memberCount: 4, members: ['db-1', 'db-2', 'db-3', 'db-4'] });
    expect(conditionOf(rule, 'Satisfied')?.status).toBe('True');
  });

  it('lets a VM that waits for it have a host as soon as it is gone', async () => {
    await world.client.delete(RuleGroup, { name: 'replicas', namespace: 'default' });
    expect(await hostOf('db-4')).toMatch(/^h/);
  });

  it('keeps VMs apart that come all at once, as after a start of the operator', async () => {
    await addRule('burst', { type: 'Separate', ...bySelector('burst') });
    await world.stopOperator();
    for (const name of ['burst-1', 'burst-2', 'burst-3']) await world.addVM(name, {}, { labels: { app: 'burst' } });
    world.startOperator();
    const hosts = await Promise.all(['burst-1', 'burst-2', 'burst-3'].map(hostOf));
    expect(hosts.toSorted()).toEqual(['h1', 'h2', 'h3']);
  });

  it('keeps VMs together that it names, also before they are there', async () => {
    await addRule('pair', { type: 'KeepTogether', ...byNames('app', 'cache') });
    const [app] = await addVMs('pair', 'app');
    // The emptiest host would be another one now.
    const [cache] = await addVMs('pair', 'cache');
    expect(cache).toBe(app);
    const pair = await world.when(RuleGroup, 'pair', 'to be about both', ({ status }) => status?.memberCount === 2);
    expect(pair.status).toMatchObject({ members: ['app', 'cache'] });
    expect(conditionOf(pair, 'Ready')?.reason).toBe('InEffect');
  });

  it('keeps VMs on hosts and off hosts', async () => {
    const hosts = { names: ['h2'] };
    await addRule('licensed', { type: 'VMsToHosts', ...bySelector('oracle'), hosts, relation: 'MustRunOn' });
    await addRule('elsewhere', { type: 'VMsToHosts', ...bySelector('guest'), hosts, relation: 'MustNotRunOn' });
    expect(await addVMs('oracle', 'oracle-1', 'oracle-2')).toEqual(['h2', 'h2']);
    expect(await addVMs('guest', 'guest-1', 'guest-2', 'guest-3')).not.toContain('h2');
    expect((await ruleWhen('licensed', 'InEffect')).status?.hosts).toEqual(['h2']);
  });

  it('whose hosts do not exist says that its VMs can run nowhere', async () => {
    const hosts = { selector: { matchLabels: { licensed: 'true' } } };
    await addRule('unlicensed', { type: 'VMsToHosts', ...bySelector('nobody'), hosts, relation: 'MustRunOn' });
    expect(conditionOf(await ruleWhen('unlicensed', 'NoHosts'), 'Ready')).toMatchObject({
      status: 'False',
      message: 'no Host fits spec.hosts, so its VMs can run nowhere; label or name a Host, or correct the rule',
    });
  });

  it('that comes after its VMs tells which of them are where it does not want them, and what can be done; none is touched that is off', async () => {
    await addRule('late', { type: 'Separate', ...bySelector('oracle') });
    const rule = await ruleWhen('late', 'Violated', 'Satisfied');
    expect(conditionOf(rule, 'Satisfied')?.message).toContain(
      'oracle-2 on h2 is on the same host as oracle-1: it cannot be moved now: the VM is not running yet',
    );
    expect(rule.status?.violations).toMatchObject([
      { virtualMachine: 'oracle-2', host: 'h2', message: 'is on the same host as oracle-1' },
    ]);
    expect(await hostOf('oracle-2')).toBe('h2');
    // Until a host has told of a VM, the status of a fresh placement is not written for half a minute.
    for (const name of ['oracle-1', 'oracle-2']) {
      await world.agentReports(await world.instanceWhen(name, 'to be there'), 'Failed', {
        reason: 'MemoryUnavailable',
      });
    }
    const told = await world.vmWhen(
      'oracle-2',
      'to be told',
      (vm) => conditionOf(vm, 'RulesSatisfied')?.status === 'False',
    );
    expect(conditionOf(told, 'RulesSatisfied')).toMatchObject({
      reason: 'RuleBroken',
      message:
        'RuleGroup late: the VM is on the same host as oracle-1. What is done about it stands in status.violations of the RuleGroup',
    });
    await world.vmWhen('oracle-1', 'to be right', (vm) => conditionOf(vm, 'RulesSatisfied')?.status === 'True');
  });

  it('follows the labels of VMs and hosts', async () => {
    const labels = async (body: object) =>
      await world.client.patch(VirtualMachine, { name: 'oracle-2', namespace: 'default' }, { type: 'merge', body });
    await labels({ metadata: { labels: { app: 'other' } } });
    expect((await ruleWhen('late', 'Kept', 'Satisfied')).status?.members).toEqual(['oracle-1']);
    await world.vmWhen('oracle-2', 'to be right', (vm) => conditionOf(vm, 'RulesSatisfied')?.status === 'True');
    await labels({ metadata: { labels: { app: 'oracle' } } });
    expect((await ruleWhen('late', 'Violated', 'Satisfied')).status?.memberCount).toBe(2);
  });
});

describe('two RuleGroups that contradict each other', () => {
  it('name each other, and the older one keeps its effect', async () => {
    const { creationTimestamp = '' } = (await ruleWhen('pair', 'InEffect')).metadata;
    // Creation times have whole seconds; rules of one second go by name.
    await eventually('the next second', () => Date.now() - Date.parse(creationTimestamp) > 1_000 || undefined);
    await addRule('apart', { type: 'Separate', ...byNames('app', 'cache') });
    const younger = await ruleWhen('apart', 'Conflict');
    expect(conditionOf(younger, 'Ready')).toMatchObject({
      status: 'False',
      message:
        'it has no effect, since older rules contradict it: RuleGroup pair: app and cache are to be kept together and apart. Change or delete one of them',
    });
    const older = await world.when(RuleGroup, 'pair', 'to know', ({ status }) => status?.conflicts !== undefined);
    expect(older.status?.conflicts).toEqual([
      {
        ruleGroup: 'apart',
        message: 'app and cache are to be kept together and apart; this one is older and keeps its effect',
      },
    ]);
    expect(conditionOf(older, 'Ready')?.status).toBe('True');
  });

  it('tell where their VMs are, also the one without effect', async () => {
    await ruleWhen('apart', 'NotInEffect', 'Satisfied');
    await world.editVM('cache', { runStrategy: 'Halted' });
    const stopping = await world.instanceWhen('cache', 'to be off', ({ spec }) => spec.powerState === 'Off');
    await world.agentReports(stopping, 'Off');
    await ruleWhen('apart', 'Kept', 'Satisfied');
    await world.editVM('cache', { runStrategy: 'Always' });
    await ruleWhen('apart', 'NotInEffect', 'Satisfied');
  });

  it('do so no more when one of them goes', async () => {
    await world.client.delete(RuleGroup, { name: 'pair', namespace: 'default' });
    const left = await ruleWhen('apart', 'InEffect');
    expect(left.status?.conflicts).toBeUndefined();
    expect(conditionOf(left, 'Satisfied')?.reason).toBe('Violated');
  });
});

it('a RuleGroup about more VMs than can be has no effect, and says so', async () => {
  const vms = Array.from({ length: 1025 }, (_, index) => `crowd-${index}`);
  const create = async (name: string) =>
    await world.addVM(name, { runStrategy: 'Halted' }, { labels: { app: 'crowd' } });
  for (let index = 0; index < vms.length; index += 32) await Promise.all(vms.slice(index, index + 32).map(create));
  await addRule('crowd', { type: 'Separate', ...bySelector('crowd') });
  const rule = await ruleWhen('crowd', 'TooManyMembers');
  expect(conditionOf(rule, 'Ready')).toMatchObject({
    status: 'False',
    message: 'it is about 1025 VMs, at most 1024 can be; it has no effect: narrow the selector',
  });
  expect(rule.status?.memberCount).toBe(1025);
  expect(rule.status?.members).toBeUndefined();
});
