import {
  explainToTenant,
  explainVirtualMachine,
  type VirtualMachineExplanation,
} from '../../core/virtual-machine/explain.ts';
import { type KubeClient, KubeError } from '../../kube/index.ts';
import { explanationData, toJson } from './data.ts';
import { gather, readInstance, readVM } from './gather.ts';
import { explanationText } from './words.ts';

/** `kubectl drover explain vm NAME`: why a VM is where it is, and where else it could be. @throws KubeError */
export async function explainVM(
  client: KubeClient,
  vm: { readonly namespace: string; readonly name: string },
  output: 'text' | 'json',
): Promise<string> {
  const explanation = await explain(client, vm);
  return output === 'json' ? toJson(explanationData(explanation)) : explanationText(explanation);
}

/** HTTP status of an answer to one who may not ask that. */
const FORBIDDEN = 403;

/** What hosts say hangs on hosts, Clusters and VMs of all namespaces, which not everybody may read who has VMs. */
async function explain(
  client: KubeClient,
  ref: { readonly namespace: string; readonly name: string },
): Promise<VirtualMachineExplanation> {
  const vm = await readVM(client, ref);
  try {
    return explainVirtualMachine(vm, await gather(client, vm));
  } catch (error) {
    if (!(error instanceof KubeError && error.code === FORBIDDEN)) throw error;
    return explainToTenant(vm, await readInstance(client, ref), error.message);
  }
}
