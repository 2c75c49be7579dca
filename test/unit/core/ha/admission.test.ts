import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FailoverReserve, type Reserve } from '../../../../src/core/ha/admission.ts';
import { byUrgency, type ProtectedVirtualMachine } from '../../../../src/core/ha/urgency.ts';
import { type Fleet, type Survival, WhatIf } from '../../../../src/core/ha/what-if.ts';
import type { HostModel } from '../../../../src/core/model/host.ts';
import { inventoryOf } from '../../../../src/core/model/inventory.ts';
import type { RuleGroupModel } from '../../../../src/core/model/rule-group.ts';
import { no } from '../../../../src/core/model/verdict.ts';
import { place } from '../../../../src/core/placement/place.ts';
import type { PlacementRequest } from '../../../../src/core/placement/request.ts';
import { group, host, request } from '../../../builders/host-model.ts';

const GIB = 2 ** 30;

/** A VM of so many GiB, on a host. */
interface Placed {
  readonly name: string;
  readonly on: string;
  readonly gib: number;
  readonly cores?: number;
  /** What it asks besides. */
  readonly more?: Partial<PlacementRequest>;
}

interface Given {
  readonly hosts: readonly HostModel[];
  readonly vms: readonly Placed[];
  readonly groups?: readonly RuleGroupModel[];
  readonly dead?: readonly string[];
  readonly failoverHosts?: readonly string[];
}

function wish({ name, gib, cores = 0, more }: Omit<Placed, 'on'>): PlacementRequest {
  const reserved = { cpuCores: cores, memoryBytes: gib * GIB };
  return request({ virtualMachine: `default/${name}`, reserved, ...more });
}

function fleet({ hosts, vms, groups = [], dead = [], failoverHosts = [] }: Given): Fleet {
  const models = hosts.map((model) => {
    const here = vms.filter(({ on }) => on === model.name);
    const memoryBytes = here.reduce((sum, { gib }) => sum + gib * GIB, 0);
    return { ...model, reserved: { cpuCores: here.reduce((sum, { cores = 0 }) => sum + cores, 0), memoryBytes } };
  });
  const listOf = (name: string) =>
    vms
      .filter(({ on }) => on === name)
      .map(wish)
      .flatMap((each): ProtectedVirtualMachine[] =>
        each.restartPriority === undefined ? [] : [{ request: each, priority: each.restartPriority }],
      )
      .toSorted(byUrgency);
  const lists = new Map(hosts.map(({ name }) => [name, listOf(name)]));
  const protectedOn = (name: string) => lists.get(name) ?? [];
  return {
    inventory: inventoryOf({
      hosts: models,
      placements: new Map(vms.map(({ name, on }) => [`default/${name}`, [on]])),
      groups,
    }),
    protectedOn,
    dead: new Set(dead),
    failoverHosts: new Set(failoverHosts),
  };
}

function survival(given: Given, hosts = 31): Survival {
  return new WhatIf(fleet(given), { hosts, by: 'memoryBytes' }).survival;
}

/** Of 16 GiB each. */
const THREE = [host('h1'), host('h2'), host('h3')];
const spread = (gib: number): Placed[] => THREE.map(({ name }) => ({ name: `on-${name}`, on: name, gib }));

/** Where a VM would go, or the reason of each host against it. */
function ask(reserve: Reserve, given: Given, vm: Omit<Placed, 'on'>) {
  const world = fleet(given);
  const placement = place(wish(vm), world.inventory, new FailoverReserve(reserve, world));
  return placement.ok ? placement.host : placement.verdicts.map(({ obstacles }) => obstacles[0]?.reason);
}

function messageOf(reserve: Reserve, given: Given, vm: Omit<Placed, 'on'>): string | undefined {
  const world = fleet(given);
  return place(wish(vm), world.inventory, new FailoverReserve(reserve, world)).verdicts[0]?.obstacles[0]?.message;
}

const ONE: Reserve = { type: 'HostFailures', count: 1 };

describe('how many hosts may fail', () => {
  it('all but one, where nothing runs', () => {
    expect(survival({ hosts: THREE, vms: [] })).toMatchObject({ hosts: 2 });
    expect(survival({ hosts: [host('h1')], vms: [] })).toEqual({
      ok: false,
      hosts: 0,
      limit: { lost: ['h1'], virtualMachines: [] },
    });
  });

  it('none, where the VMs of one find no room on the others; it is named with them', () => {
    const vms = [...spread(10), { name: 'big', on: 'h2', gib: 4 }];
    expect(survival({ hosts: THREE, vms })).toEqual({
      ok: false,
      hosts: 0,
      limit: { lost: ['h1'], virtualMachines: ['default/on-h1'] },
    });
  });

  it('fragments are no room: 5 GiB free on each of two hosts take no VM of 8', () => {
    const vms = [
      { name: 'a', on: 'h1', gib: 8 },
      { name: 'b', on: 'h2', gib: 11 },
      { name: 'c', on: 'h3', gib: 11 },
    ];
    expect(survival({ hosts: THREE, vms })).toMatchObject({ hosts: 0, limit: { virtualMachines: ['default/a'] } });
  });

  it('the largest host counts first', () => {
    const hosts = [host('large', { allocatable: { cpuCores: 8, memoryBytes: 64 * GIB } }), ...THREE];
    const vms = [1, 2, 3, 4, 5, 6, 7].map((index) => ({ name: `v${index}`, on: 'large', gib: 8 }));
    expect(survival({ hosts, vms })).toMatchObject({ hosts: 0, limit: { lost: ['large'] } });
    expect(survival({ hosts, vms: vms.slice(0, 6) })).toMatchObject({ hosts: 1, limit: { lost: ['large', 'h1'] } });
  });

  it('VMs of a host that is dead now need room before all others', () => {
    const off = host('h1', { ready: no('HostNotReady', 'off') });
    const given = { hosts: [off, host('h2'), host('h3')], vms: spread(6), dead: ['h1'] };
    expect(survival(given)).toMatchObject({ hosts: 0, limit: { lost: ['h1', 'h2'] } });
    expect(survival({ ...given, vms: spread(5) })).toMatchObject({ hosts: 1 });
  });

  it('VMs that want no high availability need no room elsewhere', () => {
    const vms = spread(14).map((vm) => ({ ...vm, more: { restartPriority: undefined } }));
    expect(survival({ hosts: THREE, vms })).toMatchObject({ hosts: 2 });
  });

  it('nor do VMs that no other host could run, by what it is or by a rule', () => {
    const vms = spread(5).map((vm) => ({ ...vm, more: { diskHosts: [{ volumeName: 'data', host: vm.on }] } }));
    expect(survival({ hosts: THREE, vms })).toMatchObject({ hosts: 2 });
    const members = spread(1).map(({ name }) => `default/${name}`);
    const groups = [group({ type: 'Separate', members })];
    expect(survival({ hosts: THREE, vms: spread(1), groups }, 1)).toEqual({ ok: true, hosts: 1 });
  });

  it('VMs that are kept together need room on one host', () => {
    const vms = [
      { name: 'a', on: 'h1', gib: 6 },
      { name: 'b', on: 'h1', gib: 6 },
      { name: 'c', on: 'h2', gib: 8 },
      { name: 'd', on: 'h3', gib: 8 },
    ];
    expect(survival({ hosts: THREE, vms })).toMatchObject({ hosts: 1 });
    const groups = [group({ type: 'KeepTogether', members: ['default/a', 'default/b'] })];
    expect(survival({ hosts: THREE, vms, groups })).toMatchObject({ hosts: 0, limit: { lost: ['h1'] } });
  });

  it('hosts in maintenance are no room', () => {
    const hosts = [host('h1'), host('h2'), host('h3', { inMaintenance: true })];
    expect(survival({ hosts, vms: spread(1).slice(0, 2) })).toMatchObject({ hosts: 1 });
  });
});

describe('a VM that starts', () => {
  it('is held where the failure of a host would not be survived with it, and says after which', () => {
    expect(ask(ONE, { hosts: THREE, vms: spread(5) }, { name: 'vm', gib: 6 })).toBe('h1');
    expect(ask(ONE, { hosts: THREE, vms: spread(9) }, { name: 'vm', gib: 6 })).toEqual(
      Array(3).fill('FailoverReserve'),
    );
    expect(
      messageOf(ONE, { hosts: THREE, vms: [...spread(8), { name: 'x', on: 'h2', gib: 1 }] }, { name: 'vm', gib: 8 }),
    ).toBe(
      'the Cluster keeps room for the failure of 1 host, and with the VM here the loss of h1 would leave 1 VM without room: vm (spec.ha.admissionControl of the Cluster)',
    );
  });

  it('is held where it would not be survived already', () => {
    const given = { hosts: THREE, vms: spread(12) };
    expect(messageOf(ONE, given, { name: 'vm', gib: 1 })).toContain(
      'already without the VM the loss of h1 would leave 1 VM without room: on-h1',
    );
  });

  it('goes back all the same to a host that may run a copy of it', () => {
    const given = { hosts: THREE, vms: spread(12) };
    expect(ask(ONE, given, { name: 'vm', gib: 1, more: { onlyHost: 'h2' } })).toBe('h2');
  });

  it('goes where it leaves the reserve, although another host has more points', () => {
    const hosts = [host('h1'), host('h2'), host('h3', { allocatable: { cpuCores: 8, memoryBytes: 32 * GIB } })];
    const vms = [
      { name: 'a', on: 'h1', gib: 2 },
      { name: 'b', on: 'h2', gib: 10 },
      { name: 'c', on: 'h3', gib: 10 },
      { name: 'd', on: 'h3', gib: 5 },
    ];
    // On h3 it would be lost with it, and nobody would have to take it.
    const vm = { name: 'vm', gib: 6, more: { restartPriority: undefined } };
    expect(place(wish(vm), fleet({ hosts, vms }).inventory)).toMatchObject({ host: 'h1' });
    expect(ask(ONE, { hosts, vms }, vm)).toBe('h3');
  });

  it('is not held where nothing asks', () => {
    const given = { hosts: THREE, vms: spread(12) };
    expect(place(wish({ name: 'vm', gib: 2 }), fleet(given).inventory).ok).toBe(true);
    expect(ask({ type: 'Disabled' }, given, { name: 'vm', gib: 2 })).toBe('h1');
  });

  it('takes no failover host', () => {
    const reserve: Reserve = { type: 'FailoverHosts', hosts: new Set(['h1', 'h3']), evacuate: false };
    expect(ask(reserve, { hosts: THREE, vms: [] }, { name: 'vm', gib: 1 })).toBe('h2');
    expect(ask(reserve, { hosts: THREE, vms: [{ name: 'a', on: 'h2', gib: 16 }] }, { name: 'vm', gib: 1 })).toEqual([
      'FailoverHost',
      'InsufficientMemory',
      'FailoverHost',
    ]);
  });
});

describe('a percentage', () => {
  const FOUR = [...THREE, host('h4')];
  const of = (memory: number, cpu = 0): Reserve => ({ type: 'Percentage', cpu, memory });
  const even = (gib: number, cores = 0): Placed[] =>
    FOUR.flatMap(({ name }) =>
      [1, 2, 3, 4].map((index) => ({ name: `${name}-${index}`, on: name, gib: gib / 4, cores })),
    );

  it('of a quarter of four equal hosts is the failure of one', () => {
    for (const gib of [8, 10, 12, 13]) {
      const given = { hosts: FOUR, vms: even(gib) };
      const vm = { name: 'vm', gib: 1 };
      expect(ask(of(25), given, vm)).toEqual(ask(ONE, given, vm));
    }
  });

  it('of less than a host is that much of the VMs of any host', () => {
    const given = { hosts: FOUR, vms: even(12) };
    // 10% of 64 GiB are two VMs of 3 GiB, for which 4 GiB are free on each of the others; 25% would be all four.
    expect(ask(of(10), given, { name: 'vm', gib: 1 })).toBe('h1');
    expect(ask(of(50), given, { name: 'vm', gib: 1 })).toEqual(Array(4).fill('FailoverReserve'));
  });

  it('of cores looks at cores alone', () => {
    const given = { hosts: FOUR, vms: even(14, 1.75) };
    expect(ask(of(0, 25), given, { name: 'vm', gib: 1, cores: 0 })).toEqual(Array(4).fill('FailoverReserve'));
    expect(ask(of(0, 25), { hosts: FOUR, vms: even(14) }, { name: 'vm', gib: 1 })).toBe('h1');
  });
});

describe('a VM that is moved', () => {
  const hosts = [host('h1', { inMaintenance: true }), host('h2'), host('h3')];
  const moved = (more: Partial<PlacementRequest>) => ({ name: 'on-h1', gib: 5, more: { leaves: 'h1', ...more } });

  it('to empty its host is held where the others could not do without one more', () => {
    expect(ask(ONE, { hosts, vms: spread(5) }, moved({ isEvacuation: true }))).toBe('h2');
    const full = { hosts, vms: spread(5).map((vm) => (vm.on === 'h1' ? vm : { ...vm, gib: 8 })) };
    expect(ask(ONE, full, moved({ isEvacuation: true }))).toEqual(['IsSource', 'FailoverReserve', 'FailoverReserve']);
  });

  it('for any other reason is not held where the reserve is broken already', () => {
    const broken = { hosts, vms: spread(5).map((vm) => (vm.on === 'h1' ? vm : { ...vm, gib: 9 })) };
    expect(ask(ONE, broken, moved({ isEvacuation: false }))).toBe('h2');
  });

  it('as one of several is asked for with all of them', () => {
    const vms = [
      { name: 'a', on: 'h1', gib: 3 },
      { name: 'b', on: 'h1', gib: 3 },
      { name: 'stays', on: 'h1', gib: 9 },
      { name: 'c', on: 'h2', gib: 3 },
      { name: 'd', on: 'h3', gib: 8 },
    ];
    const world = fleet({ hosts: THREE, vms });
    const reserve = new FailoverReserve(ONE, world);
    const requests = ['a', 'b'].map((name) => wish({ name, gib: 3, more: { leaves: 'h1' } }));
    expect(reserve.checkTogether(requests.slice(0, 1), 'h2')).toBeUndefined();
    expect(reserve.checkTogether(requests, 'h2')?.message).toContain(
      'the loss of h1 would leave 1 VM without room: stays',
    );
    const kept: Reserve = { type: 'FailoverHosts', hosts: new Set(['h2']), evacuate: false };
    expect(new FailoverReserve(kept, world).checkTogether(requests, 'h2')?.reason).toBe('FailoverHost');
  });
});

/** The next fleet, with all that is the same on other hosts being the very same. */
function onlyChanged(before: Fleet, next: Fleet, changed: string): Fleet {
  const lists = new Map(
    next.inventory.hosts.map(({ name }) => [name, (name === changed ? next : before).protectedOn(name)]),
  );
  const hosts = next.inventory.hosts.map((model, index) => {
    const known = before.inventory.hosts[index];
    if (known === undefined) return model;
    return model.name === changed ? { ...known, reserved: model.reserved } : known;
  });
  const { hostsOf, groupsOf } = next.inventory;
  return { ...next, inventory: { hosts, hostsOf, groupsOf }, protectedOn: (name) => lists.get(name) ?? [] };
}

describe('whatever runs where', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e'];
  const anyVM = fc.record({
    at: fc.nat({ max: 4 }),
    gib: fc.integer({ min: 1, max: 6 }),
    cores: fc.constantFrom(0, 0, 1),
    priority: fc.constantFrom('High' as const, 'Medium' as const, undefined),
  });
  const anyWorld = fc
    .record({
      sizes: fc.array(fc.integer({ min: 6, max: 24 }), { minLength: 1, maxLength: 5 }),
      vms: fc.array(anyVM, { maxLength: 14 }),
      inMaintenance: fc.constantFrom(undefined, undefined, 'a'),
      separate: fc.subarray(['v0', 'v1', 'v2', 'vm']),
      together: fc.subarray(['v3', 'v4', 'v5']),
    })
    .map(({ sizes, vms, inMaintenance, separate, together }) => {
      const hosts = sizes.map((gib, index) =>
        host(NAMES[index] ?? '', {
          allocatable: { cpuCores: 6, memoryBytes: gib * GIB },
          inMaintenance: NAMES[index] === inMaintenance,
        }),
      );
      const free = new Map(sizes.map((gib, index) => [NAMES[index], gib]));
      const placed = vms.flatMap(({ at, gib, cores, priority }, index): Placed[] => {
        const on = NAMES[at % sizes.length] ?? '';
        const left = (free.get(on) ?? 0) - gib;
        if (left < 0) return [];
        free.set(on, left);
        return [{ name: `v${index}`, on, gib, cores, more: { restartPriority: priority } }];
      });
      const keys = (names: readonly string[]) => names.map((name) => `default/${name}`);
      const groups = [
        group({ type: 'Separate', name: 'default/s', members: keys(separate) }),
        group({ type: 'KeepTogether', name: 'default/t', members: keys(together) }),
      ];
      return { hosts, vms: placed, groups };
    });
  const anyWish = fc.record({
    gib: fc.integer({ min: 1, max: 8 }),
    cores: fc.constantFrom(0, 1),
    more: fc.record({ restartPriority: fc.constantFrom('Highest' as const, 'Medium' as const, undefined) }),
  });

  it('no start lets the failures that are survived fall below what is asked for', () => {
    let admitted = 0;
    fc.assert(
      fc.property(anyWorld, anyWish, fc.integer({ min: 1, max: 3 }), (world, vm, count) => {
        fc.pre(survival(world, count).ok);
        const target = ask({ type: 'HostFailures', count }, world, { name: 'vm', ...vm });
        if (typeof target !== 'string') return;
        admitted++;
        const then = survival({ ...world, vms: [...world.vms, { name: 'vm', on: target, ...vm }] }, count);
        expect(then).toEqual({ ok: true, hosts: count });
      }),
      { numRuns: 3000 },
    );
    expect(admitted).toBeGreaterThan(300);
  });

  it('no move does, and one where they are below already makes them no fewer', () => {
    fc.assert(
      fc.property(
        anyWorld,
        fc.nat(),
        fc.boolean(),
        fc.integer({ min: 1, max: 3 }),
        (world, which, isEvacuation, count) => {
          const vm = world.vms[which % Math.max(1, world.vms.length)];
          fc.pre(vm !== undefined);
          const before = survival(world, count).hosts;
          const asked = { ...vm, more: { ...vm.more, leaves: vm.on, isEvacuation } };
          const target = ask({ type: 'HostFailures', count }, world, asked);
          if (typeof target !== 'string') return;
          const vms = world.vms.map((each) => (each.name === vm.name ? { ...each, on: target } : each));
          expect(survival({ ...world, vms }, count).hosts).toBeGreaterThanOrEqual(isEvacuation ? count : before);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('what is taken over from a moment ago is what would be worked out anew', () => {
    let takenOver = 0;
    fc.assert(
      fc.property(
        anyWorld,
        fc.array(anyWish, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 2 }),
        (world, wishes, count) => {
          const reserve: Reserve = { type: 'HostFailures', count };
          // The very same lists and figures where nothing has changed, as the operator's caches have them.
          let vms: readonly Placed[] = world.vms;
          let now = fleet({ ...world, vms });
          let before: FailoverReserve | undefined;
          for (const [index, vm] of wishes.entries()) {
            const asked = { name: `new-${index}`, ...vm };
            const kept = new FailoverReserve(reserve, now, before);
            const one = place(wish(asked), now.inventory, kept);
            const other = place(wish(asked), now.inventory, new FailoverReserve(reserve, now));
            expect(one.ok && one.host).toBe(other.ok && other.host);
            if (!one.ok) return;
            if (before !== undefined) takenOver++;
            before = kept;
            vms = [...vms, { ...asked, on: one.host }];
            now = onlyChanged(now, fleet({ ...world, vms }), one.host);
          }
        },
      ),
      { numRuns: 2000 },
    );
    expect(takenOver).toBeGreaterThan(300);
  });

  it('one more empty host lets no fewer fail', () => {
    const gib = fc.integer({ min: 6, max: 40 });
    fc.assert(
      fc.property(anyWorld, gib, (world, size) => {
        // Of rules alone could a further host make more of what is to be kept room for.
        const given = { hosts: world.hosts, vms: world.vms };
        const empty = host('z', { allocatable: { cpuCores: 6, memoryBytes: size * GIB } });
        const more = survival({ ...given, hosts: [...given.hosts, empty] }).hosts;
        expect(more).toBeGreaterThanOrEqual(survival(given).hosts);
      }),
      { numRuns: 3000 },
    );
  });

  it('the order in which it is listed changes nothing', () => {
    fc.assert(
      fc.property(anyWorld, ({ hosts, vms, groups }) => {
        const turned = { hosts: hosts.toReversed(), vms: vms.toReversed(), groups: groups.toReversed() };
        expect(survival(turned)).toEqual(survival({ hosts, vms, groups }));
      }),
    );
  });
});
