import { describe, expect, it } from 'vitest';
import { HAPolicy } from '../../../../src/api/ha-policy.ts';
import { hostFaultPolicy } from '../../../../src/core/ha/host-fault.ts';
import type { PolicyChoice } from '../../../../src/core/ha/policy.ts';
import { virtualMachine } from '../../../builders/objects.ts';

const choice = (action: string): PolicyChoice => ({
  ok: true,
  enabled: true,
  policy: HAPolicy.spec.parse({ hostFault: { action } }),
});
const none = choice('None');

describe('what a host is told to do with a VM after it has failed itself', () => {
  it('is to leave it off where the policy does nothing', () => {
    expect(hostFaultPolicy(virtualMachine(), none)).toEqual({ action: 'None' });
  });

  it.each([
    ['the policy restarts it elsewhere', virtualMachine(), choice('Restart')],
    ['the policy restarts it there', virtualMachine(), choice('RestoreOnOriginalHost')],
    ['the VM wants no high availability', virtualMachine({ spec: { ha: { enabled: false } } }), none],
    ['the Cluster has none', virtualMachine(), { ok: true, enabled: false }],
    ['the policy is not there', virtualMachine(), { ok: false, reason: 'PolicyNotFound', message: '' }],
    ['there is no VM', undefined, none],
  ] as const)('is to start it again where %s', (_, vm, of) => {
    expect(hostFaultPolicy(vm, of)).toBeUndefined();
  });
});
