import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RuleGroupModel } from '../../../../src/core/model/rule-group.ts';
import { judgeGroups } from '../../../../src/core/rulegroup/conflicts.ts';
import { group } from '../../../builders/host-model.ts';

const HOSTS = ['a', 'b', 'c'];

/** Groups in the order of their age. */
function judged(...groups: RuleGroupModel[]) {
  const aged = groups.map((each, index) => ({ ...each, createdAt: `2030-01-0${index + 1}T00:00:00Z` }));
  const { inEffect, conflicts } = judgeGroups(aged, HOSTS);
  return { inEffect: inEffect.map(({ name }) => name), conflicts };
}

const together = (name: string, ...members: string[]) => group({ type: 'KeepTogether', name, members });
const apart = (name: string, ...members: string[]) => group({ type: 'Separate', name, members });
const on = (name: string, hosts: string[], ...members: string[]) =>
  group({ type: 'VMsToHosts', name, members, isOn: true, hosts: new Set(hosts) });
const off = (name: string, hosts: string[], ...members: string[]) =>
  group({ type: 'VMsToHosts', name, members, isOn: false, hosts: new Set(hosts) });

describe('rules that can be kept side by side', () => {
  it.each([
    ['that are about other VMs', [together('t', '1', '2'), apart('s', '3', '4')]],
    ['of which each speaks of one VM of the other', [together('t', '1', '2'), apart('s', '2', '3')]],
    ['whose hosts overlap', [on('x', ['a', 'b'], '1'), on('y', ['b', 'c'], '1'), off('z', ['a'], '1')]],
    ['of separate VMs on different hosts', [apart('s', '1', '2'), on('x', ['a'], '1'), on('y', ['b'], '2')]],
  ])('%s all have effect', (_what, groups) => {
    expect(judged(...groups)).toEqual({ inEffect: groups.map(({ name }) => name), conflicts: [] });
  });

  it('are those of which one is only preferred', () => {
    const preferred = { ...apart('s', '1', '2'), isRequired: false };
    expect(judged(together('t', '1', '2'), preferred)).toEqual({ inEffect: ['t', 's'], conflicts: [] });
  });
});

describe('of rules that contradict each other the older keeps effect', () => {
  const both = '1 and 2 are to be kept together and apart';

  it('when two VMs are to be together and apart', () => {
    expect(judged(together('t', '1', '2'), apart('s', '1', '2', '3'))).toEqual({
      inEffect: ['t'],
      conflicts: [{ kept: 't', dropped: 's', why: both }],
    });
    expect(judged(apart('s', '1', '2', '3'), together('t', '1', '2'))).toEqual({
      inEffect: ['s'],
      conflicts: [{ kept: 's', dropped: 't', why: both }],
    });
  });

  it('when several rules bind together what another keeps apart: each of them is named', () => {
    expect(judged(together('t', '1', '2'), together('u', '2', '3'), apart('s', '1', '3'))).toEqual({
      inEffect: ['t', 'u'],
      conflicts: ['t', 'u'].map((kept) => ({
        kept,
        dropped: 's',
        why: '1 and 3 are to be kept together and apart',
      })),
    });
  });

  it('when a rule would join what others keep apart', () => {
    const { inEffect, conflicts } = judged(
      apart('s', '1', '4'),
      together('t', '1', '2'),
      together('u', '3', '4'),
      together('v', '2', '3'),
    );
    expect(inEffect).toEqual(['s', 't', 'u']);
    expect(conflicts).toEqual([{ kept: 's', dropped: 'v', why: '1 and 4 are to be kept together and apart' }]);
  });

  it('when a VM would have no host', () => {
    expect(judged(on('x', ['a'], '1'), on('y', ['b'], '1', '2'))).toEqual({
      inEffect: ['x'],
      conflicts: [{ kept: 'x', dropped: 'y', why: 'together they leave no host for 1' }],
    });
    expect(judged(on('x', ['a', 'b'], '1'), off('y', ['a'], '1'), off('z', ['b'], '1')).conflicts).toEqual([
      { kept: 'x', dropped: 'z', why: 'together they leave no host for 1' },
      { kept: 'y', dropped: 'z', why: 'together they leave no host for 1' },
    ]);
  });

  it('when VMs that are kept together are pinned to different hosts', () => {
    const why = 'together they leave no host for 1 and 1 more that are kept together';
    expect(judged(together('t', '1', '2'), on('x', ['a'], '1'), on('y', ['b'], '2')).conflicts).toEqual([
      { kept: 'x', dropped: 'y', why },
    ]);
    expect(judged(on('x', ['a'], '1'), on('y', ['b'], '2'), together('t', '1', '2')).conflicts).toEqual([
      { kept: 'x', dropped: 't', why },
      { kept: 'y', dropped: 't', why },
    ]);
  });

  it('and a rule that has none does not bind anybody', () => {
    expect(
      judged(apart('s', '1', '2'), together('t', '1', '2'), apart('u', '2', '3'), together('v', '1', '3')),
    ).toMatchObject({ inEffect: ['s', 'u', 'v'] });
  });

  it('and of rules of one age the first by name', () => {
    const { inEffect } = judgeGroups([together('b', '1', '2'), apart('a', '1', '2')], HOSTS);
    expect(inEffect.map(({ name }) => name)).toEqual(['a']);
  });
});

it('gives a rule about too many VMs no effect, and lets it contradict nobody', () => {
  const many = Array.from({ length: 1025 }, (_, index) => String(index));
  expect(judged(apart('s', ...many), together('t', '1', '2'))).toEqual({ inEffect: ['t'], conflicts: [] });
});

it('judges nothing by hosts while there are none', () => {
  expect(judgeGroups([on('x', ['a'], '1'), on('y', ['b'], '1')], []).conflicts).toEqual([]);
});

const VMS = ['1', '2', '3', '4'];
const anyGroup = fc
  .record({
    type: fc.constantFrom('KeepTogether' as const, 'Separate' as const, 'VMsToHosts' as const),
    members: fc.subarray(VMS, { minLength: 1 }),
    isOn: fc.boolean(),
    hosts: fc.subarray(HOSTS).map((hosts) => new Set(hosts)),
  })
  .map(({ type, members, isOn, hosts }) =>
    group(type === 'VMsToHosts' ? { type, members, isOn, hosts } : { type, members }),
  );
const anyGroups = fc
  .array(anyGroup, { maxLength: 6 })
  .map((groups) =>
    groups.map((each, index) => ({ ...each, name: `g${index}`, createdAt: `2030-01-0${index + 1}T00:00:00Z` })),
  );

/** Whether VMs could be put on hosts so that these rules hold, found by trying everything. Hosts are as many as needed. */
function isPossible(groups: readonly RuleGroupModel[]): boolean {
  const tries = (placed: ReadonlyMap<string, string>, rest: readonly string[]): boolean => {
    const [vm, ...others] = rest;
    if (vm === undefined) return groups.every((each) => holds(each, placed));
    return HOSTS.some((host) => tries(new Map([...placed, [vm, host]]), others));
  };
  return tries(new Map(), VMS);
}

function holds(rule: RuleGroupModel, placed: ReadonlyMap<string, string>): boolean {
  const hosts = [...rule.members].map((member) => placed.get(member) ?? '');
  if (rule.type === 'VMsToHosts') return hosts.every((host) => rule.hosts.has(host) === rule.isOn);
  return new Set(hosts).size === (rule.type === 'KeepTogether' ? 1 : hosts.length);
}

describe('judging, whatever the rules', () => {
  it('names two sides for every rule without effect, the older first, and none for the others', () => {
    fc.assert(
      fc.property(anyGroups, (groups) => {
        const { inEffect, conflicts } = judgeGroups(groups, HOSTS);
        const effective = new Set(inEffect.map(({ name }) => name));
        for (const { kept, dropped } of conflicts) {
          expect(effective.has(kept)).toBe(true);
          expect(effective.has(dropped)).toBe(false);
          expect(kept < dropped).toBe(true);
        }
        const dropped = new Set(conflicts.map((conflict) => conflict.dropped));
        expect(groups.filter(({ name }) => !effective.has(name) && !dropped.has(name))).toEqual([]);
      }),
    );
  });

  it('drops no rule that could be kept beside the older ones', () => {
    fc.assert(
      fc.property(anyGroups, (groups) => {
        const { inEffect, conflicts } = judgeGroups(groups, HOSTS);
        for (const { dropped } of conflicts) {
          const rule = groups.find(({ name }) => name === dropped);
          const older = inEffect.filter(({ name }) => name < dropped);
          expect(rule !== undefined && isPossible([...older, rule])).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on the order in which the rules are given', () => {
    fc.assert(
      fc.property(anyGroups, (groups) => {
        expect(judgeGroups(groups.toReversed(), HOSTS)).toEqual(judgeGroups(groups, HOSTS));
      }),
    );
  });
});
