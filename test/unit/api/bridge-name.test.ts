import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bridgeName } from '../../../src/api/common/bridge-name.ts';

describe('bridgeName', () => {
  it('never changes: hosts and running VMs have these names', () => {
    expect([bridgeName('lan', undefined), bridgeName('lan', 42)]).toEqual(['dv-b53086a7', 'dv-585a254b']);
  });

  it('is a name that the kernel takes, whatever the switch is called', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9][-a-z0-9.]{0,252}$/), fc.integer({ min: 1, max: 4094 }), (name, vlan) => {
        expect(bridgeName(name, vlan)).toMatch(/^dv-[0-9a-f]{8}$/);
      }),
    );
  });
});
