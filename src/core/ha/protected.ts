import type { HAPolicySpec } from '../../api/ha-policy.ts';
import type { Host } from '../../api/host.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import { noHostTakesIt } from '../migration/migratable.ts';
import { no, type Verdict, YES } from '../model/verdict.ts';
import { lastingObstacles } from '../placement/place.ts';
import { type VirtualMachineInput, wishOf } from '../virtual-machine/next-step.ts';
import type { PolicyChoice } from './policy.ts';

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
 * Whether a VM would run elsewhere if its host died now: what hosts are and have is asked, not how much room they have. Source:
 * FusionCompute's constraints of HA (shared storage, same cluster and network, no device of the host, HA enabled).
 */
export function protectedFromHostFault(input: ProtectionInput): Verdict {
  const { vm, choice } = input;
  if (!choice.ok) return no(choice.reason, choice.message);
  if (!choice.enabled)
    return no('ClusterHADisabled', 'high availability of its Cluster is off: set spec.ha.enabled of the Cluster');
  if (!vm.spec.ha.enabled) return no('HADisabled', 'the VM wants none: spec.ha.enabled is false');
  if (choice.policy.hostFault.action === 'None')
    return no('PolicyNone', 'the HAPolicy does nothing when a host dies (hostFault.action None)');
  if (choice.policy.hostFault.action === 'RestoreOnOriginalHost') return YES;
  return canRunElsewhere(input) ?? canBeFenced(choice.policy, input) ?? YES;
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
  const lasting = lastingObstacles({ ...wish.request, onlyHost: undefined }, inventory);
  const refusals = inventory.hosts
    .filter(({ name }) => name !== instance.spec.host)
    .map((other) => ({ host: other.name, obstacles: lasting(other) }));
  return refusals.some(({ obstacles }) => obstacles.length === 0) ? undefined : noHostTakesIt(refusals);
}

function canBeFenced({ fencing }: HAPolicySpec, { host }: ProtectionInput): Verdict | undefined {
  const ready = host?.status?.conditions.find(({ type }) => type === 'FencingReady');
  if (ready?.status === 'True' && fencing.order.length > 0) return undefined;
  const why = ready === undefined ? 'whether its host can be proven to be off is not known yet' : ready.message;
  return no('FencingNotReady', `nothing would prove that its host ${host?.metadata.name ?? ''} is off: ${why}`);
}
