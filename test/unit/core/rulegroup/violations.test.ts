import { describe, expect, it } from 'vitest';
import { violationsOf } from '../../../../src/core/rulegroup/violations.ts';
import { group } from '../../../builders/host-model.ts';

const members = ['1', '2', '3', '4'];
const at = (placements: Readonly<Record<string, string[]>>) => (vm: string) => placements[vm] ?? [];

describe('a KeepTogether rule', () => {
  const rule = group({ type: 'KeepTogether', members });

  it('is kept by VMs on one host, and by those that are nowhere', () => {
    expect(violationsOf(rule, at({ 1: ['a'], 2: ['a'] }))).toEqual([]);
  });

  it('is broken by those that are not where most are', () => {
    expect(violationsOf(rule, at({ 1: ['a'], 2: ['b'], 3: ['b'] }))).toEqual([
      { virtualMachine: '1', host: 'a', message: 'is apart from the 2 VMs on b' },
    ]);
  });

  it('takes the first host by name where as many are on each', () => {
    expect(violationsOf(rule, at({ 1: ['b'], 2: ['a'] }))).toEqual([
      { virtualMachine: '1', host: 'b', message: 'is apart from the 1 VM on a' },
    ]);
  });

  it('takes a VM that is being moved for where it started', () => {
    expect(violationsOf(rule, at({ 1: ['a', 'b'], 2: ['a'] }))).toEqual([]);
  });
});

it('a Separate rule is broken by all but the first on a host', () => {
  const rule = group({ type: 'Separate', members });
  expect(violationsOf(rule, at({ 1: ['a'], 2: ['b'], 3: ['a'], 4: ['a'] }))).toEqual([
    { virtualMachine: '3', host: 'a', message: 'is on the same host as 1' },
    { virtualMachine: '4', host: 'a', message: 'is on the same host as 1' },
  ]);
});

it.each([
  [true, 'c', 'is not on one of its hosts'],
  [false, 'a', 'is on a host that it is to be kept off'],
])('a VMsToHosts rule (isOn %s) is broken on the wrong host', (isOn, host, message) => {
  const rule = group({ type: 'VMsToHosts', members, isOn, hosts: new Set(['a', 'b']) });
  const right = isOn ? 'a' : 'c';
  expect(violationsOf(rule, at({ 1: [right], 2: [host] }))).toEqual([{ virtualMachine: '2', host, message }]);
});
