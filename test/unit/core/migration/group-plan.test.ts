import { describe, expect, it } from 'vitest';
import { type GroupMember, planGroup } from '../../../../src/core/migration/group-plan.ts';
import { movedTogether } from '../../../../src/core/migration/together.ts';
import { inventoryOf } from '../../../../src/core/model/inventory.ts';
import { group, host, request } from '../../../builders/host-model.ts';
import { hostObject } from '../../../builders/migration.ts';
import { instance } from '../../../builders/objects.ts';

const GIB = 2 ** 30;
const PAIR = group({ type: 'KeepTogether', members: ['default/a', 'default/b'] });

function member(name: string, on: string, memoryBytes = GIB): GroupMember {
  const key = `default/${name}`;
  const reserved = { cpuCores: 0, memoryBytes };
  return {
    key,
    instance: instance({ metadata: { name }, spec: { host: on, reserved } }),
    request: request({ virtualMachine: key, reserved, leaves: on }),
    obstacles: [],
  };
}

function plan(members: readonly GroupMember[], hosts = [host('h1'), host('h2'), host('h3')], targetHost?: string) {
  const placements = new Map(members.map(({ key, instance: { spec } }) => [key, [spec.host]]));
  const inventory = inventoryOf({ hosts, placements, groups: [PAIR] });
  return planGroup(members, inventory, targetHost, hostObject);
}

describe('VMs that are to be moved as one', () => {
  const both = [member('a', 'h1'), member('b', 'h1')];

  it('go to a host that takes them all, though each by itself would be kept where the other one is', () => {
    expect(plan(both)).toMatchObject({ ok: true, targetHost: 'h2' });
    expect(plan(both, undefined, 'h3')).toMatchObject({ ok: true, targetHost: 'h3' });
  });

  it('are counted one after the other: a host that has room for one alone does not fit', () => {
    const small = host('h2', { allocatable: { cpuCores: 8, memoryBytes: 1.5 * GIB } });
    expect(plan(both, [host('h1'), small])).toMatchObject({
      ok: false,
      failures: [{ reason: 'InsufficientMemory', message: expect.stringMatching(/^VM b: host h2: /) }],
    });
  });

  it('that are apart go where most of them are', () => {
    expect(plan([member('a', 'h1'), member('b', 'h3')])).toMatchObject({ ok: true });
    const three = [member('a', 'h3'), member('b', 'h3'), member('c', 'h1')];
    expect(plan(three)).toMatchObject({ ok: true, targetHost: 'h3' });
  });

  it.each<[string, readonly GroupMember[], string | undefined, string]>([
    ['to a host that does not exist', both, 'nowhere', 'OtherCluster'],
    ['to the host where they are', both, 'h1', 'IsSource'],
    ['when none of them runs', [], undefined, 'NotRunning'],
    [
      'when one of them cannot leave',
      [
        both[0] as GroupMember,
        { ...member('b', 'h1'), obstacles: [{ reason: 'NotRunning', message: 'it is paused' }] },
      ],
      undefined,
      'NotRunning',
    ],
  ])('are not moved %s', (_what, members, target, reason) => {
    expect(plan(members, undefined, target)).toMatchObject({ ok: false, failures: [{ reason }] });
  });

  it('do not go to a host in maintenance, not even when one of them is there', () => {
    const hosts = [host('h1'), host('h2', { inMaintenance: true })];
    expect(plan([member('a', 'h1'), member('b', 'h2')], hosts)).toMatchObject({ ok: true, targetHost: 'h1' });
  });

  it('are all that groups join, also over a VM that is in two of them', () => {
    const groups = [
      PAIR,
      group({ type: 'KeepTogether', members: ['default/b', 'default/c', 'default/off'], name: 'default/second' }),
      group({ type: 'KeepTogether', members: ['default/c', 'default/d'], name: 'default/wish', isRequired: false }),
      group({ type: 'Separate', members: ['default/a', 'default/d'], name: 'default/apart' }),
    ];
    const placements = new Map(['a', 'b', 'c', 'd'].map((name) => [`default/${name}`, ['h1']]));
    const inventory = inventoryOf({ hosts: [host('h1')], placements, groups });
    expect(movedTogether('default/a', inventory)).toEqual(['default/a', 'default/b', 'default/c']);
    expect(movedTogether('default/d', inventory)).toEqual(['default/d']);
  });
});
