import { describe, expect, it } from 'vitest';
import { HAPolicy } from '../../../../src/api/ha-policy.ts';
import { vmFaultPolicy } from '../../../../src/core/ha/guest-fault.ts';
import type { PolicyChoice } from '../../../../src/core/ha/policy.ts';
import { virtualMachine } from '../../../builders/objects.ts';

const choice = (vmFault: object): PolicyChoice => ({
  ok: true,
  enabled: true,
  policy: HAPolicy.spec.parse({ vmFault }),
});

describe('what a host is told to do about a guest that fails', () => {
  it('is all that the policy says', () => {
    expect(vmFaultPolicy(virtualMachine(), choice({ action: 'Reboot', maxResets: 5 }))).toEqual({
      action: 'Reboot',
      heartbeatTimeoutSeconds: 30,
      ioQuietSeconds: 120,
      minUptimeSeconds: 120,
      maxResets: 5,
      windowSeconds: 3600,
    });
  });

  it.each([
    ['the policy says nothing about it', virtualMachine(), choice({})],
    ['the policy says None', virtualMachine(), choice({ action: 'None' })],
    [
      'the VM wants no high availability',
      virtualMachine({ spec: { ha: { enabled: false } } }),
      choice({ action: 'Reboot' }),
    ],
    ['the Cluster has none', virtualMachine(), { ok: true, enabled: false }],
    ['the policy is not there', virtualMachine(), { ok: false, reason: 'PolicyNotFound', message: '' }],
    ['there is no VM', undefined, choice({ action: 'Reboot' })],
  ] as const)('is nothing where %s', (_, vm, of) => {
    expect(vmFaultPolicy(vm, of)).toBeUndefined();
  });
});
