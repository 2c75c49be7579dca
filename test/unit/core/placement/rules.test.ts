import { describe, expect, it } from 'vitest';
import { inventoryOf } from '../../../../src/core/model/inventory.ts';
import type { RuleGroupModel } from '../../../../src/core/model/rule-group.ts';
import { place } from '../../../../src/core/placement/place.ts';
import { group, host, request } from '../../../builders/host-model.ts';

const HOSTS = [host('a'), host('b'), host('c')];

function placed(groups: readonly RuleGroupModel[], placements: Readonly<Record<string, string[]>>, wish = {}) {
  const inventory = inventoryOf({ hosts: HOSTS, groups, placements: new Map(Object.entries(placements)) });
  return place(request(wish), inventory);
}

function obstacleOn(name: string, placement: ReturnType<typeof placed>) {
  const [obstacle] = placement.verdicts.find(({ host: each }) => each === name)?.obstacles ?? [];
  return obstacle && { reason: obstacle.reason, message: obstacle.message };
}

describe('KeepTogether', () => {
  const together = group({ type: 'KeepTogether', members: ['default/vm', 'default/db', 'default/web'] });

  it('leaves the first member its choice', () => {
    expect(placed([together], {})).toMatchObject({ ok: true, host: 'a' });
  });

  it('takes the others to where it is', () => {
    const placement = placed([together], { 'default/db': ['b'] });
    expect(placement).toMatchObject({ ok: true, host: 'b' });
    expect(obstacleOn('a', placement)).toEqual({
      reason: 'KeepTogether',
      message: 'RuleGroup group keeps the VM with db on b',
    });
  });

  it('whose members are scattered takes the next one to any of them', () => {
    const placement = placed([together], { 'default/db': ['c'], 'default/web': ['b'] });
    expect(placement).toMatchObject({ ok: true, host: 'b' });
    expect(obstacleOn('a', placement)?.message).toBe('RuleGroup group keeps the VM with web on b; db on c');
  });

  it('does not hold a VM to where it is itself', () => {
    expect(placed([together], { 'default/vm': ['c'] }, { leaves: 'c' })).toMatchObject({ ok: true, host: 'a' });
  });
});

describe('Separate', () => {
  const apart = group({ type: 'Separate', members: ['default/vm', 'default/db', 'default/web'] });

  it('keeps members off each other', () => {
    const placement = placed([apart], { 'default/db': ['a'], 'default/web': ['c'] });
    expect(placement).toMatchObject({ ok: true, host: 'b' });
    expect(obstacleOn('a', placement)).toEqual({
      reason: 'Separate',
      message: 'RuleGroup group keeps the VM apart from db, which is there',
    });
  });

  it('counts a member that is being moved on both of its hosts', () => {
    expect(placed([apart], { 'default/db': ['a', 'b'] })).toMatchObject({ ok: true, host: 'c' });
  });

  it('sends a VM that may run on a host back to it all the same: it is moved afterwards', () => {
    expect(placed([apart], { 'default/db': ['a'] }, { onlyHost: 'a' })).toMatchObject({ ok: true, host: 'a' });
  });
});

describe('VMsToHosts', () => {
  const members = ['default/vm'];

  it.each([
    [true, ['b', 'c'], 'b', 'a', 'RuleGroup group keeps the VM on b, c'],
    [false, ['a'], 'b', 'a', 'RuleGroup group keeps the VM off this host'],
  ])('isOn %s %s', (isOn, hosts, chosen, refused, message) => {
    const placement = placed([group({ type: 'VMsToHosts', members, isOn, hosts: new Set(hosts) })], {});
    expect(placement).toMatchObject({ ok: true, host: chosen });
    expect(obstacleOn(refused, placement)).toEqual({ reason: 'VMsToHosts', message });
  });

  it('with no host at all lets the VM run nowhere, and says so', () => {
    const placement = placed([group({ type: 'VMsToHosts', members, isOn: true, hosts: new Set() })], {});
    expect(placement.ok).toBe(false);
    expect(obstacleOn('b', placement)?.message).toBe('RuleGroup group keeps the VM on no host');
  });
});

it('each rule that a host would break is named', () => {
  const groups = [
    group({ type: 'Separate', name: 'default/apart', members: ['default/vm', 'default/db'] }),
    group({ type: 'VMsToHosts', name: 'default/home', members: ['default/vm'], isOn: true, hosts: new Set(['b']) }),
  ];
  const placement = placed(groups, { 'default/db': ['a'] });
  expect(placement.verdicts.map(({ obstacles }) => obstacles.map(({ reason }) => reason))).toEqual([
    ['Separate', 'VMsToHosts'],
    [],
    ['VMsToHosts'],
  ]);
});

describe('a preferred group', () => {
  const preferred = { isRequired: false, members: ['default/vm', 'default/db'] };

  it('is kept before load is balanced', () => {
    const busy = host('a', { reserved: { cpuCores: 0, memoryBytes: 14 * 2 ** 30 } });
    const inventory = inventoryOf({
      hosts: [busy, host('b')],
      groups: [group({ type: 'KeepTogether', ...preferred })],
      placements: new Map([['default/db', ['a']]]),
    });
    expect(place(request(), inventory)).toMatchObject({ ok: true, host: 'a' });
  });

  it('gives way where it cannot be kept', () => {
    const inventory = inventoryOf({
      hosts: [host('a')],
      groups: [group({ type: 'Separate', ...preferred })],
      placements: new Map([['default/db', ['a']]]),
    });
    expect(place(request(), inventory)).toMatchObject({ ok: true, host: 'a' });
  });

  it('is counted among several', () => {
    const groups = [
      group({ type: 'Separate', name: 'default/one', ...preferred }),
      group({ type: 'VMsToHosts', name: 'default/two', ...preferred, isOn: true, hosts: new Set(['b']) }),
    ];
    const placement = placed(groups, { 'default/db': ['c'] });
    expect(placement.verdicts.map(({ host: name, scores }) => [name, scores[0]])).toEqual([
      ['a', 0.5],
      ['b', 1],
      ['c', 0],
    ]);
  });
});
