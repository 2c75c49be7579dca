import type { HAPolicySpec } from '../../api/ha-policy.ts';
import type { Host } from '../../api/host.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { noHostTakesIt } from '../migration/migratable.ts';
import { no, type Verdict, YES } from '../model/verdict.ts';
import { hostSize } from '../placement/filters/host-size.ts';
import { type VirtualMachineInput, wishOf } from '../virtual-machine/next-step.ts';
import type { PolicyChoice } from './policy.ts';
import { obstaclesElsewhere } from './refit.ts';

/** What decides whether a VM would run elsewhere. */
export interface ProtectionInput {
  readonly virtualMachine: VirtualMachineInput;
  readonly vm: VirtualMachine;
  readonly instance: VirtualMachineInstance;
  readonly choice: PolicyChoice;
  /** The VM's host. Absent: its object is gone. */
  readonly host: Host | undefined;
}

/**
 * Whether a VM would run elsewhere if its host died now: what hosts are and have is asked, and how large they are, not how full. That the room
 * is there is what admission control sees to (condition FailoverCapacity of the Cluster). Source: FusionCompute's constraints of HA (tools
 * installed and running, shared storage, same cluster and network, no device of the host, HA enabled, enough resources). Devices of the host
 * cannot be given to a VM yet.
 */
export function protectedFromHostFault(input: ProtectionInput): Verdict {
  const { vm, choice } = input;
  if (!choice.ok) return no(choice.reason, choice.message);
  if (!choice.enabled)
    return no('ClusterHADisabled', 'high availability of its Cluster is off: set spec.ha.enabled of the Cluster');
  if (!vm.spec.ha.enabled) return no('HADisabled', 'the VM wants none: spec.ha.enabled is false');
  if (choice.policy.hostFault.action === 'None')
    return no('PolicyNone', 'the HAPolicy does nothing when a host dies (hostFault.action None)');
  const tools = toolsRun(input);
  if (!tools.ok || choice.policy.hostFault.action === 'RestoreOnOriginalHost') return tools;
  return canRunElsewhere(input) ?? canBeFenced(choice.policy, input) ?? YES;
}

/** Tools that are required are what tells that the guest is well after it was run elsewhere. */
function toolsRun({ vm, instance: { spec, status } }: ProtectionInput): Verdict {
  if (vm.spec.guestTools === 'Optional') return YES;
  const isConnected = status?.observedEpoch === spec.epoch && status.guestTools?.connected;
  if (isConnected) return YES;
  return no(
    'GuestToolsNotRunning',
    'spec.guestTools is Required, and the guest agent (qemu-guest-agent) does not answer: install it, or start it in the guest',
  );
}

/** Why no other host could run the VM, whatever room hosts have at the moment. Undefined: one could. */
export function canRunElsewhere({
  virtualMachine,
  vm,
  instance,
}: Pick<ProtectionInput, 'virtualMachine' | 'vm' | 'instance'>): Verdict | undefined {
  const wish = wishOf(vm, virtualMachine);
  if (!wish.ok) return no(wish.missing[0]?.reason ?? 'Waiting', wish.missing.map(({ message }) => message).join('; '));
  const { inventory } = virtualMachine;
  const request = { ...wish.request, onlyHost: undefined };
  const obstacles = obstaclesElsewhere(request, inventory);
  const checks = [hostSize(request, inventory) ?? []].flat();
  const refusals = inventory.hosts
    .filter(({ name }) => name !== instance.spec.host)
    .map((other) => ({
      host: other.name,
      obstacles: [...obstacles(other), ...checks.flatMap((check) => check(other) ?? [])],
    }));
  return refusals.some(({ obstacles }) => obstacles.length === 0) ? undefined : noHostTakesIt(refusals);
}

function canBeFenced({ fencing }: HAPolicySpec, { host }: ProtectionInput): Verdict | undefined {
  const ready = host?.status?.conditions.find(({ type }) => type === 'FencingReady');
  if (ready?.status === 'True' && fencing.order.length > 0) return undefined;
  const why = ready === undefined ? 'whether its host can be proven to be off is not known yet' : ready.message;
  return no('FencingNotReady', `nothing would prove that its host ${host?.metadata.name ?? ''} is off: ${why}`);
}
