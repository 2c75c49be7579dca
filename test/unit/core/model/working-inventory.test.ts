import { describe, expect, it } from 'vitest';
import { inventoryOf } from '../../../../src/core/model/inventory.ts';
import { WorkingInventory } from '../../../../src/core/model/working-inventory.ts';
import { group, host } from '../../../builders/host-model.ts';

const GIB = 2 ** 30;
const RESERVED = { cpuCores: 1, memoryBytes: GIB };
const base = inventoryOf({
  hosts: [host('a', { reserved: RESERVED }), host('b')],
  placements: new Map([['default/vm', ['a']]]),
  groups: [group({ type: 'Separate', members: ['default/vm'] })],
});
const reservedOn = (inventory: { hosts: readonly { reserved: unknown }[] }) =>
  inventory.hosts.map(({ reserved }) => reserved);

describe('a working inventory', () => {
  it('shows a move from its first step to its last, and counts the VM on both hosts in between', () => {
    const working = new WorkingInventory(base);
    working.add('default/vm', 'b', RESERVED);
    expect(working.hostsOf('default/vm')).toEqual(['a', 'b']);
    expect(reservedOn(working)).toEqual([RESERVED, RESERVED]);
    working.remove('default/vm', 'a', RESERVED);
    expect(working.hostsOf('default/vm')).toEqual(['b']);
    expect(reservedOn(working)).toEqual([{ cpuCores: 0, memoryBytes: 0 }, RESERVED]);
  });

  it('leaves the original as it is, and has its groups', () => {
    const working = new WorkingInventory(base);
    working.remove('default/vm', 'a', RESERVED);
    expect(base.hostsOf('default/vm')).toEqual(['a']);
    expect(reservedOn(base)).toEqual([RESERVED, { cpuCores: 0, memoryBytes: 0 }]);
    expect(working.groupsOf('default/vm')).toBe(base.groupsOf('default/vm'));
  });

  it('counts a VM on a host that it does not hold for rules alone', () => {
    const working = new WorkingInventory(base);
    working.add('default/vm', 'elsewhere', RESERVED);
    expect(working.hostsOf('default/vm')).toEqual(['a', 'elsewhere']);
    expect(reservedOn(working)).toEqual(reservedOn(base));
  });
});
