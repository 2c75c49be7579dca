import { API_VERSION, CLEANUP_FINALIZER, PLACEMENT_ANNOTATION } from '../../api/common/names.ts';
import type { VirtualMachine } from '../../api/virtual-machine.ts';
import { VirtualMachineInstance, type VirtualMachineInstanceSpec } from '../../api/virtual-machine-instance.ts';
import { controllerReference, type KubeObject } from '../../kube/index.ts';

/** A new instance of a VM. Its finalizer holds it until the host has confirmed that the domain is off. */
export function newInstance(vm: VirtualMachine, spec: VirtualMachineInstanceSpec, explanation: string): KubeObject {
  const { name, namespace, labels } = vm.metadata;
  return {
    apiVersion: API_VERSION,
    kind: VirtualMachineInstance.kind,
    metadata: {
      name,
      namespace,
      labels,
      annotations: { [PLACEMENT_ANNOTATION]: explanation },
      finalizers: [CLEANUP_FINALIZER],
      ownerReferences: [controllerReference(vm)],
    },
    spec,
  };
}

/** The same instance with another spec. Its resourceVersion is the precondition: nobody has changed it since. */
export function changedInstance(
  instance: VirtualMachineInstance,
  spec: VirtualMachineInstanceSpec,
): VirtualMachineInstance {
  return { ...instance, spec };
}

/** The same instance, let go. */
export function releasedInstance(instance: VirtualMachineInstance): VirtualMachineInstance {
  const finalizers = instance.metadata.finalizers.filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
  return { ...instance, metadata: { ...instance.metadata, finalizers } };
}
