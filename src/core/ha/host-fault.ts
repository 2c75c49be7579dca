import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { InstanceHostFault } from '../../api/virtual-machine-instance.ts';
import type { PolicyChoice } from './policy.ts';

/** What the host of a VM does with it when it is back after it has failed. Undefined: it starts it again. */
export function hostFaultPolicy(
  vm: Pick<VirtualMachine, 'spec'> | undefined,
  choice: PolicyChoice,
): InstanceHostFault | undefined {
  if (vm === undefined || !vm.spec.ha.enabled || !choice.ok || !choice.enabled) return undefined;
  return choice.policy.hostFault.action === 'None' ? { action: 'None' } : undefined;
}
