import { PLACEMENT_ANNOTATION } from '../../api/common/names.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { RuleGroupModel } from '../model/rule-group.ts';
import { type Placement, place } from '../placement/place.ts';
import { type VirtualMachineInput, wishOf } from './next-step.ts';
import type { Missing } from './resolve.ts';

/** Everything that decides where a VM is: what was decided, and what would be decided now. */
export interface VirtualMachineExplanation {
  readonly vm: VirtualMachine;
  /** Where it is placed, and why, one line per host, as it was decided then. Absent: nowhere. */
  readonly placed?: { readonly host: string; readonly epoch: number; readonly because?: string };
  /** What is missing before any host can be asked. */
  readonly missing: readonly Missing[];
  /** What every host says now: to a VM that is placed, as to one that is to leave its host. Absent: something is missing, or hidden. */
  readonly now?: Placement;
  /** Why whoever asks cannot be told more. Absent: they are told everything. */
  readonly hidden?: string;
  /** Rule groups in effect that it is a member of, by name. */
  readonly rules: readonly RuleGroupModel[];
}

/** For one who may read the VM and its instance, but not what its Cluster is made of. */
export function explainToTenant(
  vm: VirtualMachine,
  instance: VirtualMachineInstance | undefined,
  hidden: string,
): VirtualMachineExplanation {
  return { vm, ...placedOf(instance), missing: [], rules: [], hidden };
}

export function explainVirtualMachine(
  vm: VirtualMachine,
  input: Omit<VirtualMachineInput, 'vm'>,
): VirtualMachineExplanation {
  const { instance, inventory } = input;
  const wish = wishOf(vm, input);
  const { placed } = placedOf(instance);
  const rules = inventory.groupsOf(`${vm.metadata.namespace}/${vm.metadata.name}`);
  if (!wish.ok) return { vm, ...(placed && { placed }), missing: wish.missing, rules };
  const request = placed === undefined ? wish.request : { ...wish.request, onlyHost: undefined, leaves: placed.host };
  return { vm, ...(placed && { placed }), missing: [], now: place(request, inventory, input.admission), rules };
}

function placedOf(instance: VirtualMachineInstance | undefined): Pick<VirtualMachineExplanation, 'placed'> {
  if (instance === undefined) return {};
  const because = instance.metadata.annotations[PLACEMENT_ANNOTATION];
  const { host, epoch } = instance.spec;
  return { placed: { host, epoch, ...(because !== undefined && { because }) } };
}
