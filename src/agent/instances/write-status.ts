import { isDeepStrictEqual } from 'node:util';
import {
  type VirtualMachineInstance as Instance,
  VirtualMachineInstance,
  type VirtualMachineInstanceStatus,
} from '../../api/virtual-machine-instance.ts';
import type { ComputedStatus } from '../../core/instance/index.ts';
import { applyIfChanged, type KubeApi } from '../../kube/index.ts';
import { setCondition } from '../../runtime/index.ts';
import { FIELD_MANAGER } from '../write-status.ts';
import type { InstanceMemory } from './memory.ts';

export interface StatusWrite {
  readonly client: KubeApi;
  /** As the informer holds it. */
  readonly instance: Instance;
  readonly memory: InstanceMemory;
  readonly now: Date;
  readonly signal: AbortSignal;
}

/**
 * Writes the status, unless it is the one that was written last.
 * @returns the instance as the server has it after the write. Undefined: nothing was written.
 */
export async function writeStatus(
  { client, instance, memory, now, signal }: StatusWrite,
  { ready, ...computed }: ComputedStatus,
): Promise<Instance | undefined> {
  const { name, namespace, uid, generation } = instance.metadata;
  const before = memory.written?.uid === uid ? memory.written.status : undefined;
  const conditions = before?.conditions ?? instance.status?.conditions ?? [];
  const status: VirtualMachineInstanceStatus = {
    ...computed,
    conditions: [...setCondition(conditions, { type: 'Ready', ...ready, observedGeneration: generation }, now)],
  };
  // A write whose answer was lost may have been carried out: then the one before it is not what stands there.
  const isKnown = memory.isWriteInDoubt !== true;
  if (isKnown && before !== undefined && isDeepStrictEqual(before, status)) return undefined;
  // The uid makes the write fail when the instance was deleted and made anew meanwhile.
  const wanted = { apiVersion: instance.apiVersion, kind: instance.kind, metadata: { name, namespace, uid }, status };
  memory.isWriteInDoubt = true;
  const { object } = await applyIfChanged<Instance>(
    client,
    VirtualMachineInstance,
    wanted,
    isKnown && before === undefined ? instance : undefined,
    {
      fieldManager: FIELD_MANAGER,
      subresource: 'status',
      // Nobody else knows what runs on this host.
      force: true,
      signal,
    },
  );
  memory.written = { uid, status };
  memory.isWriteInDoubt = false;
  return object;
}
