import type { VirtualMachine, VirtualMachineStatus } from '../../api/virtual-machine.ts';
import type {
  InstanceVMFault,
  VirtualMachineInstance,
  VirtualMachineInstanceSpec,
} from '../../api/virtual-machine-instance.ts';
import type { PolicyChoice } from './policy.ts';

/** What the host of a VM shall do about its guest. Undefined: nothing, since nobody wants it, or the policy is not there. */
export function vmFaultPolicy(
  vm: Pick<VirtualMachine, 'spec'> | undefined,
  choice: PolicyChoice,
): InstanceVMFault | undefined {
  if (vm === undefined || !vm.spec.ha.enabled || !choice.ok || !choice.enabled) return undefined;
  const { action, ...figures } = choice.policy.vmFault;
  return action === 'None' ? undefined : { action, ...figures };
}

/** The same in a new intent, with what was counted before it. */
export function vmFaultOf(
  policy: InstanceVMFault | undefined,
  actedAt: readonly string[] | undefined,
): VirtualMachineInstanceSpec['vmFault'] {
  return policy && { ...policy, ...(actedAt !== undefined && actedAt.length > 0 && { actedAt: [...actedAt] }) };
}

/**
 * Whether the host has said of this very placement that its guest has failed, and that the VM is to be started elsewhere. The host says it
 * for as long as it holds, and takes it back when the guest is well again before anybody has ended it.
 */
export function isToRunElsewhere(instance: VirtualMachineInstance, policy: InstanceVMFault | undefined): boolean {
  const { spec, status } = instance;
  const fault = status?.guestFault;
  if (policy?.action !== 'Restart' || fault?.action !== 'Restart') return false;
  return status?.host === spec.host && status.observedEpoch === spec.epoch && fault.epoch === spec.epoch;
}

/** The host that a VM was taken from because of its guest, if that is what ended its newest placement: others come before it. */
export function hostLeftByFault(status: VirtualMachineStatus | undefined): string | undefined {
  const fault = status?.lastFault;
  return fault?.action === 'Restart' && fault.epoch === status?.epoch ? fault.host : undefined;
}
