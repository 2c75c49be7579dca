import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostModel } from '../../../../src/core/model/host.ts';
import { type Inventory, inventoryOf } from '../../../../src/core/model/inventory.ts';
import type { RuleGroupModel } from '../../../../src/core/model/rule-group.ts';
import { explainPlacement } from '../../../../src/core/placement/explain.ts';
import { type Placement, place } from '../../../../src/core/placement/place.ts';
import { group, host, request } from '../../../builders/host-model.ts';

const GIB = 2 ** 30;
const VM = 'default/vm';
const HOST_NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const VM_NAMES = [VM, 'default/1', 'default/2', 'default/3'];

const resources = fc.record({
  cpuCores: fc.integer({ min: 0, max: 16 }),
  memoryBytes: fc.integer({ min: 0, max: 64 * GIB }),
});
const subset = (names: readonly string[]) => fc.subarray([...names]).map((chosen) => new Set(chosen));

const anyHost = fc.record({
  name: fc.constantFrom(...HOST_NAMES),
  inMaintenance: fc.boolean(),
  threads: fc.integer({ min: 0, max: 16 }),
  numaCells: fc.array(
    fc.record({ threads: fc.integer({ min: 0, max: 8 }), memoryBytes: fc.integer({ min: 0, max: 32 * GIB }) }),
    { maxLength: 2 },
  ),
  allocatable: resources,
  reserved: resources,
  datastores: subset(['x', 'y']),
  cpuModels: subset(['old', 'new']),
});

const anyGroup: fc.Arbitrary<RuleGroupModel> = fc
  .record({
    name: fc.constantFrom('g1', 'g2', 'g3', 'g4'),
    isRequired: fc.boolean(),
    members: fc.subarray(VM_NAMES),
    type: fc.constantFrom('KeepTogether' as const, 'Separate' as const, 'VMsToHosts' as const),
    isOn: fc.boolean(),
    hosts: subset(HOST_NAMES),
  })
  .map(({ type, isOn, hosts, ...common }) =>
    group(type === 'VMsToHosts' ? { type, isOn, hosts, ...common } : { type, ...common }),
  );

const anyWorld = fc.record({
  hosts: fc
    .uniqueArray(anyHost, { selector: ({ name }) => name, maxLength: 6 })
    .map((hosts) => hosts.map(({ name, ...rest }) => host(name, rest))),
  groups: fc.uniqueArray(anyGroup, { selector: ({ name }) => name, maxLength: 4 }),
  placements: fc
    .array(fc.tuple(fc.constantFrom(...VM_NAMES.slice(1)), fc.subarray(HOST_NAMES, { minLength: 1, maxLength: 2 })))
    .map((entries) => new Map(entries)),
});

const anyRequest = fc
  .record({
    vcpus: fc.integer({ min: 1, max: 16 }),
    reserved: fc.record({
      cpuCores: fc.integer({ min: 0, max: 8 }),
      memoryBytes: fc.integer({ min: 1, max: 16 * GIB }),
    }),
    datastores: fc.subarray(['x', 'y']),
    cpuModel: fc.constantFrom(undefined, 'old', 'new'),
    leaves: fc.constantFrom(undefined, ...HOST_NAMES),
    recentHosts: subset(HOST_NAMES),
  })
  .map(request);

function chosen(placement: Placement, { hosts }: Inventory): HostModel | undefined {
  return placement.ok ? hosts.find(({ name }) => name === placement.host) : undefined;
}

/** Rules as a reader of the API would state them, written without a look at the engine. */
function breaks(rule: RuleGroupModel, target: string, inventory: Inventory): boolean {
  if (!rule.members.has(VM)) return false;
  const others = [...rule.members].filter((member) => member !== VM).map((member) => inventory.hostsOf(member));
  const placedOthers = others.filter((hosts) => hosts.length > 0);
  switch (rule.type) {
    case 'KeepTogether':
      return placedOthers.length > 0 && !placedOthers.some((hosts) => hosts.includes(target));
    case 'Separate':
      return placedOthers.some((hosts) => hosts.includes(target));
    case 'VMsToHosts':
      return rule.hosts.has(target) !== rule.isOn;
  }
}

describe('placement, whatever the cluster', () => {
  it('breaks no required rule', () => {
    fc.assert(
      fc.property(anyRequest, anyWorld, (wish, world) => {
        const inventory = inventoryOf(world);
        const target = chosen(place(wish, inventory), inventory);
        if (target === undefined) return;
        expect(world.groups.filter((rule) => rule.isRequired && breaks(rule, target.name, inventory))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  it('never puts more on a host than it has', () => {
    fc.assert(
      fc.property(anyRequest, anyWorld, (wish, world) => {
        const inventory = inventoryOf(world);
        const target = chosen(place(wish, inventory), inventory);
        if (target === undefined) return;
        const { allocatable, reserved } = target;
        expect(reserved.memoryBytes + wish.reserved.memoryBytes).toBeLessThanOrEqual(allocatable.memoryBytes);
        if (wish.reserved.cpuCores > 0) {
          expect(reserved.cpuCores + wish.reserved.cpuCores).toBeLessThanOrEqual(allocatable.cpuCores);
        }
        expect(wish.vcpus).toBeLessThanOrEqual(target.threads);
      }),
      { numRuns: 2000 },
    );
  });

  it('does not depend on the order of hosts, groups and VMs', () => {
    fc.assert(
      fc.property(anyRequest, anyWorld, (wish, world) => {
        const turned = {
          hosts: world.hosts.toReversed(),
          groups: world.groups
            .toReversed()
            .map((rule) => ({ ...rule, members: new Set([...rule.members].toReversed()) })),
          placements: new Map([...world.placements].toReversed()),
        };
        const [one, other] = [place(wish, inventoryOf(world)), place(wish, inventoryOf(turned))];
        expect(one.ok && one.host).toBe(other.ok && other.host);
        expect(reasonsOf(one)).toEqual(reasonsOf(other));
      }),
    );
  });

  it('has a verdict for every host: what stands in its way, or its scores', () => {
    fc.assert(
      fc.property(anyRequest, anyWorld, (wish, world) => {
        const placement = place(wish, inventoryOf(world));
        expect(placement.verdicts.map((verdict) => verdict.host)).toEqual(
          world.hosts.map(({ name }) => name).toSorted(),
        );
        for (const { obstacles, scores } of placement.verdicts) {
          expect(scores).toHaveLength(obstacles.length > 0 ? 0 : placement.scorers.length);
          for (const { reason, message } of obstacles) expect(`${reason} ${message}`).toMatch(/^[A-Z]\w+ \S/);
          for (const score of scores) expect(score >= 0 && score <= 1).toBe(true);
        }
        const lines = world.hosts.length === 0 ? 0 : explainPlacement(placement).split('\n').length;
        expect(lines).toBe(world.hosts.length);
      }),
    );
  });

  it('never gets worse when an empty host is added that meets every rule', () => {
    fc.assert(
      fc.property(anyRequest, anyWorld, (wish, world) => {
        const before = best(place(wish, inventoryOf(world)));
        const empty = host('z', { datastores: new Set(['x', 'y']), cpuModels: new Set(['old', 'new']), threads: 16 });
        const after = best(place(wish, inventoryOf({ ...world, hosts: [...world.hosts, empty] })));
        fc.pre(before !== undefined);
        expect(after).toBeGreaterThanOrEqual(before ?? 0);
      }),
    );
  });
});

function reasonsOf({ verdicts }: Placement) {
  return verdicts.map(({ host: name, obstacles, scores }) => [name, obstacles.map(({ message }) => message), scores]);
}

/** Points of the chosen host, of the scorers that do not look at how many hosts there are. */
function best(placement: Placement): number | undefined {
  return placement.ok ? placement.verdicts.find((verdict) => verdict.host === placement.host)?.points : undefined;
}
