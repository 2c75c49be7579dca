import { expect, it } from 'vitest';
import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { Volume } from '../../../src/api/volume.ts';
import { Process } from '../engine/process.ts';
import { runScenario } from '../scenario/run.ts';
import { parseScenario, type ScenarioInput } from '../scenario/scenario.ts';
import { ClusterPlan, type ClusterPlanInput } from '../world/plan.ts';
import { InvariantBroken, World } from '../world/world.ts';

/**
 * Every promise is broken here by hand, in a world that had kept it: an invariant that cannot fail would say nothing. VMs run on from the
 * fifth second, web on host-1.
 */
const BEGUN_MS = 10_000;
const web = { namespace: 'default', name: 'web' };
const PLAN: ClusterPlanInput = {
  hosts: [{ name: 'host-1', foreignDomains: ['legacy'] }, { name: 'host-2' }, { name: 'host-3' }],
  datastores: [{ name: 'shared', shared: true, locks: false }],
  vms: [{ name: 'web' }],
};

/** @returns the name of the promise that was broken by what is done to the world. Undefined: none was */
async function brokenBy(
  plan: ClusterPlanInput,
  act: (world: World) => void | Promise<void>,
): Promise<string | undefined> {
  const world = new World({ plan: ClusterPlan.parse(plan), seed: 1, order: 'fixed' });
  try {
    await world.run(BEGUN_MS);
    await act(world);
    await world.run(BEGUN_MS + 1_000);
    return undefined;
  } catch (error) {
    if (error instanceof InvariantBroken) return error.invariant;
    throw error;
  } finally {
    world.end();
  }
}

function domainOf(world: World, vm = 'web') {
  const found = world.domainOf(vm);
  if (found?.host.hypervisor === undefined) throw new Error(`${vm} runs nowhere`);
  return { ...found, hypervisor: found.host.hypervisor };
}

function patch(
  world: World,
  kind: typeof VirtualMachine | typeof VirtualMachineInstance | typeof Volume,
  name: string,
  body: object,
): void {
  world.server.patch(kind, { namespace: 'default', name }, { type: 'merge', body });
}

/** A placement that nobody has decided. */
function place(world: World, name: string, host: string, changes: object = {}): void {
  const { spec, apiVersion, kind } = world.server.get(VirtualMachineInstance, web);
  const { uid } = world.server.get(VirtualMachine, { namespace: 'default', name }).metadata;
  const other = { ...Object(spec), virtualMachineUID: uid, domainUUID: uid, host, ...changes };
  world.server.create(VirtualMachineInstance, {
    apiVersion,
    kind,
    metadata: { namespace: 'default', name },
    spec: other,
  });
}

const VIOLATIONS: readonly (readonly [promise: string, act: (world: World) => void])[] = [
  [
    'a VM never runs twice',
    (world) => {
      const { host, domain } = domainOf(world);
      const other = world.hosts.find(({ name }) => name !== host.name);
      if (other?.scope === undefined) throw new Error('there is no other host');
      void other.scope.hypervisor.create(domain.xml, false, other.scope.daemon);
    },
  ],
  [
    'epochs only grow',
    (world) => {
      for (const epoch of [7, 6]) patch(world, VirtualMachineInstance, 'web', { spec: { epoch } });
    },
  ],
  [
    'foreign domains are left alone',
    (world) => {
      const { hypervisor } = world.host('host-1');
      const legacy = [...(hypervisor?.domains.values() ?? [])].find(({ name }) => name === 'legacy');
      if (legacy !== undefined) hypervisor?.stop(legacy, 'destroyed');
    },
  ],
  ["user intent is the user's", (world) => patch(world, VirtualMachine, 'web', { spec: { runStrategy: 'Halted' } })],
  [
    'an instance outlives its domains',
    (world) => {
      patch(world, VirtualMachineInstance, 'web', { metadata: { finalizers: null } });
      world.server.delete(VirtualMachineInstance, web, {});
    },
  ],
  [
    'a guest that is to run is not destroyed',
    (world) => {
      const { hypervisor, domain } = domainOf(world);
      hypervisor.stop(domain, 'destroyed');
    },
  ],
  [
    'data in use is not deleted',
    (world) => {
      const ref = { namespace: 'default', name: 'web-root' };
      const { status } = world.server.get(Volume, ref);
      world.server.patch(
        Volume,
        ref,
        { type: 'merge', body: { status: { ...Object(status), phase: 'Deleted' } } },
        'status',
      );
    },
  ],
  [
    'proof before a restart',
    (world) => patch(world, VirtualMachineInstance, 'web', { spec: { host: 'host-3', epoch: 2 } }),
  ],
];

it.each(VIOLATIONS)('%s: a run in which it is broken fails', async (promise, act) => {
  expect(await brokenBy(PLAN, () => undefined)).toBeUndefined();
  expect(await brokenBy(PLAN, act)).toBe(promise);
});

it('only the dead are fenced: an order to the BMC of a host that lives fails the run', async () => {
  const fence = (world: World) => {
    const device = world.deviceOf('host-2', 'operator-1', new Process('somebody', world.timeline));
    void device.forceOff(new AbortController().signal);
  };
  expect(await brokenBy({ ...PLAN, ha: {} }, fence)).toBe('only the dead are fenced');
});

it.each([
  ['Separate', 'host-1', { type: 'Separate' }],
  ['KeepTogether', 'host-2', { type: 'KeepTogether' }],
  ['VMsToHosts', 'host-1', { type: 'VMsToHosts', relation: 'MustNotRunOn', hosts: { names: ['host-1'] } }],
])('required rules are kept: a placement against a %s group fails the run', async (_type, host, group) => {
  const rules = { ...group, virtualMachines: { names: ['web', 'other'].slice(group.type === 'VMsToHosts' ? 1 : 0) } };
  const plan: ClusterPlanInput = {
    ...PLAN,
    vms: [{ name: 'web' }, { name: 'other', runStrategy: 'Halted' }],
    objects: [{ kind: 'RuleGroup', metadata: { name: 'rules' }, spec: rules }],
  };
  const put = (world: World) => place(world, 'other', host);
  expect(await brokenBy(plan, put)).toBe('required rules are kept');
});

it('the reserve is kept: a VM that is started in the room for failovers fails the run', async () => {
  const plan: ClusterPlanInput = {
    ha: {},
    admissionControl: { type: 'HostFailures', hostFailures: { count: 1 } },
    hosts: [
      { name: 'host-1', memory: '8Gi' },
      { name: 'host-2', memory: '8Gi' },
    ],
    vms: [
      { name: 'web', memory: '4Gi' },
      { name: 'other', memory: '6Gi', runStrategy: 'Halted' },
    ],
  };
  const put = (world: World) => place(world, 'other', domainOf(world).host.name === 'host-1' ? 'host-2' : 'host-1');
  expect(await brokenBy(plan, put)).toBe('the reserve is kept');
});

it('every VM that can be recovered is recovered: a cluster that does nothing about a dead host fails the run', async () => {
  const dies = (action: string): ScenarioInput => ({
    cluster: { ...PLAN, ha: { hostFault: { action } } },
    events: { runFor: 60, events: [{ at: 15, do: 'powerOff', host: 'host-1' }] },
  });
  const failuresOf = async (action: string) =>
    (await runScenario(parseScenario(dies(action)), { seed: 0, order: 'fixed' })).failures;
  expect(await failuresOf('Restart')).toEqual([]);
  expect(await failuresOf('None')).toEqual(['VM web shall be Running, but its phase is Unknown']);
});
