import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type LostVirtualMachine,
  planRestarts,
  planStops,
  type RestartInput,
} from '../../../../src/core/ha/restart-plan.ts';
import { inventoryOf } from '../../../../src/core/model/inventory.ts';
import { no } from '../../../../src/core/model/verdict.ts';
import { group, host, request } from '../../../builders/host-model.ts';

const GIB = 2 ** 30;
const dead = host('h0', { ready: no('HostNotReady', 'it is off') });

function lost(name: string, changes: { memoryGiB?: number; priority?: LostVirtualMachine['priority'] } = {}) {
  const { memoryGiB = 1, priority = 'Medium' } = changes;
  const reserved = { cpuCores: 0, memoryBytes: memoryGiB * GIB };
  return { request: request({ virtualMachine: `default/${name}`, reserved }), fromHost: 'h0', priority, dependsOn: [] };
}

function plan(changes: Partial<RestartInput> & { lost: readonly LostVirtualMachine[] }) {
  const planned = planRestarts({
    inventory: inventoryOf({
      hosts: [dead, host('h1'), host('h2')],
      placements: new Map(changes.lost.map((each) => [each.request.virtualMachine, ['h0']])),
    }),
    starting: new Map(),
    maxConcurrentPerHost: 8,
    failoverHosts: new Set(),
    ...changes,
  });
  const nameOf = (each: LostVirtualMachine) => each.request.virtualMachine.replace('default/', '');
  return {
    restarts: planned.restarts.map((restart) => [nameOf(restart.lost), restart.host]),
    waiting: planned.waiting.map(nameOf),
    unplaceable: planned.unplaceable.map((each) => nameOf(each.lost)),
  };
}

describe('VMs of a dead host', () => {
  it('are spread over the others, never back', () => {
    const { restarts } = plan({ lost: ['a', 'b', 'c', 'd'].map((name) => lost(name)) });
    expect(restarts).toEqual([
      ['a', 'h1'],
      ['b', 'h2'],
      ['c', 'h1'],
      ['d', 'h2'],
    ]);
  });

  it('are given hosts by priority, then the largest first, then by name', () => {
    const { restarts } = plan({
      lost: [
        lost('small'),
        lost('large', { memoryGiB: 2 }),
        lost('also-small'),
        lost('low', { priority: 'Low', memoryGiB: 4 }),
        lost('first', { priority: 'Highest' }),
      ],
    });
    expect(restarts.map(([name]) => name)).toEqual(['first', 'large', 'also-small', 'small', 'low']);
  });

  it('with little priority get no room that a more urgent one needs, although it waits for its turn', () => {
    const inventory = inventoryOf({
      hosts: [dead, host('h1', { allocatable: { cpuCores: 8, memoryBytes: 3 * GIB } })],
    });
    const all = [
      lost('a', { priority: 'High' }),
      lost('b', { memoryGiB: 2, priority: 'High' }),
      lost('c', { priority: 'Low' }),
    ];
    expect(plan({ lost: all, inventory, maxConcurrentPerHost: 1 })).toEqual({
      restarts: [['b', 'h1']],
      waiting: ['a'],
      unplaceable: ['c'],
    });
  });

  it('wait while their hosts start others', () => {
    const { restarts, waiting } = plan({
      lost: ['a', 'b', 'c'].map((name) => lost(name)),
      starting: new Map([['h1', 1]]),
      maxConcurrentPerHost: 2,
    });
    expect(restarts).toEqual([
      ['a', 'h1'],
      ['b', 'h2'],
      ['c', 'h2'],
    ]);
    expect(waiting).toEqual([]);
    expect(
      plan({
        lost: [lost('a')],
        starting: new Map([
          ['h1', 8],
          ['h2', 9],
        ]),
      }),
    ).toMatchObject({ waiting: ['a'] });
  });

  it('that belong together find each other on their new host', () => {
    const members = ['default/a', 'default/b', 'default/c'];
    const all = ['a', 'b', 'c'].map((name) => lost(name));
    const inventory = inventoryOf({
      hosts: [dead, host('h1'), host('h2')],
      placements: new Map(members.map((member) => [member, ['h0']])),
      groups: [group({ type: 'KeepTogether', members })],
    });
    const { restarts } = plan({ lost: all, inventory });
    expect(new Set(restarts.map(([, to]) => to))).toEqual(new Set(['h1']));
  });

  it('that belong together go where there is room for all of them, and not where the first of them likes it best', () => {
    const members = ['default/a', 'default/b'];
    const placements = new Map(members.map((member) => [member, ['h0']]));
    const full = host('h1', { allocatable: { cpuCores: 8, memoryBytes: 100 * GIB }, threads: 1 });
    const inventory = inventoryOf({
      hosts: [dead, full, host('h2', { allocatable: { cpuCores: 8, memoryBytes: 3 * GIB }, threads: 2 })],
      placements,
      groups: [group({ type: 'KeepTogether', members })],
    });
    const large = { ...lost('b'), request: { ...lost('b').request, vcpus: 2 } };
    expect(plan({ lost: [lost('a'), large], inventory }).restarts).toEqual([
      ['a', 'h2'],
      ['b', 'h2'],
    ]);
  });

  it('go to failover hosts before all others, as long as these have room', () => {
    const hosts = [dead, host('h1'), host('h2', { allocatable: { cpuCores: 8, memoryBytes: 2 * GIB } })];
    const all = ['a', 'b', 'c'].map((name) => lost(name));
    expect(plan({ lost: all, inventory: inventoryOf({ hosts }), failoverHosts: new Set(['h2']) }).restarts).toEqual([
      ['a', 'h2'],
      ['b', 'h2'],
      ['c', 'h1'],
    ]);
  });

  it('find the room that admission control has kept for them, where spreading them would not', () => {
    const room = (memoryGiB: number) => ({ allocatable: { cpuCores: 8, memoryBytes: memoryGiB * GIB } });
    const inventory = inventoryOf({ hosts: [dead, host('h1', room(6)), host('h2', room(6))] });
    // Spread, the two of 3 GiB would leave 3 GiB on each host, too little for the last one.
    const all = [
      lost('a', { memoryGiB: 3, priority: 'High' }),
      lost('b', { memoryGiB: 3, priority: 'High' }),
      lost('c', { memoryGiB: 6 }),
    ];
    expect(plan({ lost: all, inventory }).restarts).toEqual([
      ['a', 'h1'],
      ['b', 'h1'],
      ['c', 'h2'],
    ]);
    // One whose host is busy waits for that one: on the other it would take the room of the last.
    expect(plan({ lost: all, inventory, maxConcurrentPerHost: 1 })).toEqual({
      restarts: [
        ['a', 'h1'],
        ['c', 'h2'],
      ],
      waiting: ['b'],
      unplaceable: [],
    });
  });

  it('that wait for another one keep the room that they will need', () => {
    const inventory = inventoryOf({
      hosts: [dead, host('h1', { allocatable: { cpuCores: 8, memoryBytes: 2 * GIB } })],
    });
    const all = [lost('base'), { ...lost('web'), held: 'base does not run yet' }, lost('low', { priority: 'Low' })];
    expect(plan({ lost: all, inventory })).toEqual({
      restarts: [['base', 'h1']],
      waiting: ['web'],
      unplaceable: ['low'],
    });
  });

  it('are as urgent as those that wait for them, over any number of links', () => {
    const inventory = inventoryOf({
      hosts: [dead, host('h1', { allocatable: { cpuCores: 8, memoryBytes: 3 * GIB } })],
    });
    const all = [
      lost('disk', { priority: 'Lowest' }),
      { ...lost('base', { priority: 'Low' }), dependsOn: ['default/disk'], held: 'disk does not run yet' },
      { ...lost('web', { priority: 'Highest' }), dependsOn: ['default/base'], held: 'base does not run yet' },
      lost('other', { priority: 'High' }),
    ];
    expect(plan({ lost: all, inventory })).toEqual({
      restarts: [['disk', 'h1']],
      waiting: ['base', 'web'],
      unplaceable: ['other'],
    });
  });

  it('that failed to start on a host are given another one, and wait where there is none', () => {
    const failed = new Map([['h1', { reason: 'MemoryUnavailable', untilMs: 60_000 }]]);
    const each = { ...lost('a'), request: { ...lost('a').request, failedHosts: failed } };
    expect(plan({ lost: [each] }).restarts).toEqual([['a', 'h2']]);
    const inventory = inventoryOf({ hosts: [dead, host('h1')] });
    expect(plan({ lost: [each], inventory }).unplaceable).toEqual(['a']);
    const [left] = planRestarts({
      lost: [each],
      inventory,
      starting: new Map(),
      maxConcurrentPerHost: 8,
      failoverHosts: new Set(),
    }).unplaceable;
    expect(left?.placement.verdicts[1]?.obstacles[0]?.message).toBe(
      'it has failed to start the VM (MemoryUnavailable), and is not asked again before 1970-01-01T00:01:00.000Z',
    );
  });

  it('that belong apart are kept apart', () => {
    const members = ['default/a', 'default/b', 'default/c'];
    const inventory = inventoryOf({
      hosts: [dead, host('h1'), host('h2')],
      placements: new Map(members.map((member) => [member, ['h0']])),
      groups: [group({ type: 'Separate', members })],
    });
    const { restarts, unplaceable } = plan({ lost: ['a', 'b', 'c'].map((name) => lost(name)), inventory });
    expect(restarts).toEqual([
      ['a', 'h1'],
      ['b', 'h2'],
    ]);
    expect(unplaceable).toEqual(['c']);
  });
});

describe('whatever was lost', () => {
  const scenario = fc.record({
    sizes: fc.array(
      fc.record({
        memoryGiB: fc.integer({ min: 1, max: 6 }),
        priority: fc.constantFrom('Highest', 'Medium', 'Lowest'),
        isHeld: fc.boolean(),
        dependsOn: fc.option(fc.nat(19), { nil: undefined }),
      }),
      {
        maxLength: 20,
      },
    ),
    hosts: fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 1, maxLength: 5 }),
    maxConcurrentPerHost: fc.integer({ min: 1, max: 4 }),
  });

  function planOf({ sizes, hosts, maxConcurrentPerHost }: typeof scenario extends fc.Arbitrary<infer T> ? T : never) {
    const all = sizes.map(({ memoryGiB, priority, isHeld, dependsOn }, index) => ({
      ...lost(`vm-${index}`, { memoryGiB, priority: priority as LostVirtualMachine['priority'] }),
      dependsOn: dependsOn === undefined ? [] : [`default/vm-${dependsOn}`],
      ...(isHeld && { held: 'it waits' }),
    }));
    const models = hosts.map((memoryGiB, index) =>
      host(`h${index + 1}`, { allocatable: { cpuCores: 8, memoryBytes: memoryGiB * GIB } }),
    );
    const inventory = inventoryOf({
      hosts: [dead, ...models],
      placements: new Map(all.map((each) => [each.request.virtualMachine, ['h0']])),
    });
    return {
      all,
      models,
      planned: planRestarts({
        lost: all,
        inventory,
        starting: new Map(),
        maxConcurrentPerHost,
        failoverHosts: new Set(),
      }),
    };
  }

  it('each VM is started once, waits, or fits nowhere; no host gets more than it has, nor more at once than it may', () => {
    fc.assert(
      fc.property(scenario, (given) => {
        const { all, models, planned } = planOf(given);
        const seen = [
          ...planned.restarts.map(({ lost: each }) => each),
          ...planned.waiting,
          ...planned.unplaceable.map(({ lost: each }) => each),
        ];
        expect(seen.map((each) => each.request.virtualMachine).toSorted()).toEqual(
          all.map((each) => each.request.virtualMachine).toSorted(),
        );
        for (const model of models) {
          const here = planned.restarts.filter((restart) => restart.host === model.name);
          const bytes = here.reduce((sum, restart) => sum + restart.lost.request.reserved.memoryBytes, 0);
          expect(bytes).toBeLessThanOrEqual(model.allocatable.memoryBytes);
          expect(here.length).toBeLessThanOrEqual(given.maxConcurrentPerHost);
        }
        expect(planned.restarts.every((restart) => restart.host !== 'h0')).toBe(true);
        expect(planned.restarts.every((restart) => restart.lost.held === undefined)).toBe(true);
      }),
    );
  });

  it('the order in which it is listed changes nothing', () => {
    fc.assert(
      fc.property(scenario, (given) => {
        const { all, planned } = planOf(given);
        const inventory = inventoryOf({
          hosts: [
            dead,
            ...given.hosts.map((memoryGiB, index) =>
              host(`h${index + 1}`, { allocatable: { cpuCores: 8, memoryBytes: memoryGiB * GIB } }),
            ),
          ],
          placements: new Map(all.map((each) => [each.request.virtualMachine, ['h0']])),
        });
        const other = planRestarts({
          lost: all.toReversed(),
          inventory,
          starting: new Map(),
          maxConcurrentPerHost: given.maxConcurrentPerHost,
          failoverHosts: new Set(),
        });
        const shown = ({ restarts }: typeof planned) =>
          restarts.map((restart) => [restart.lost.request.virtualMachine, restart.host]);
        expect(shown(other)).toEqual(shown(planned));
      }),
    );
  });
});

describe('VMs that are still to be stopped, since their host has lost a datastore', () => {
  const apart = group({ type: 'Separate', members: ['default/a', 'default/b'] });
  const together = group({ type: 'KeepTogether', members: ['default/a', 'default/b'] });
  const stopped = (name: string) => ({ ...lost(name), fromHost: 'h1' });
  const given = (changes: Partial<RestartInput>, hosts = [dead, host('h1'), host('h2')]): RestartInput => ({
    lost: [lost('a')],
    inventory: inventoryOf({
      hosts,
      groups: [apart],
      placements: new Map([
        ['default/a', ['h0']],
        ['default/b', ['h1']],
      ]),
    }),
    starting: new Map(),
    maxConcurrentPerHost: 8,
    failoverHosts: new Set(),
    ...changes,
  });

  it('keep others from their host that are to be apart from them, until they are off', () => {
    const input = given({}, [dead, host('h1')]);
    expect(planRestarts(input).unplaceable.map((each) => each.lost.request.virtualMachine)).toEqual(['default/a']);
  });

  it('are stopped where another host has room for them besides those that are given theirs now', () => {
    const without = host('h1', { ready: no('DatastoreLost', 'it has lost it') });
    const stops = (hosts: Parameters<typeof given>[1]) => {
      const input = given({}, hosts);
      const planned = planRestarts(input);
      expect(planned.placed.get('default/a')).toBe('h2');
      return [...planStops([stopped('b')], input, planned)];
    };
    expect(stops([dead, without, host('h2')])).toEqual([]);
    expect(stops([dead, without, host('h2'), host('h3')])).toEqual(['default/b']);
  });

  it('go with one that has to be with them, and waits until they are off', () => {
    const placements = new Map([
      ['default/a', ['h0']],
      ['default/b', ['h1']],
    ]);
    const hosts = [dead, host('h1', { ready: no('DatastoreLost', 'it has lost it') }), host('h2')];
    const input = given({ inventory: inventoryOf({ hosts, groups: [together], placements }) });
    const planned = planRestarts(input);
    expect(planned.unplaceable).toHaveLength(1);
    expect([...planStops([stopped('b')], input, planned)]).toEqual(['default/b']);
  });
});
