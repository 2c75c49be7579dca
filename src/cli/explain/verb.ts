import { explainVirtualMachine } from '../../core/virtual-machine/explain.ts';
import type { KubeClient } from '../../kube/index.ts';
import { explanationData, toJson } from './data.ts';
import { gather } from './gather.ts';
import { explanationText } from './words.ts';

/** `kubectl drover explain vm NAME`: why a VM is where it is, and where else it could be. @throws KubeError */
export async function explainVM(
  client: KubeClient,
  vm: { readonly namespace: string; readonly name: string },
  output: 'text' | 'json',
): Promise<string> {
  const gathered = await gather(client, vm);
  const explanation = explainVirtualMachine(gathered.vm, gathered.input);
  return output === 'json' ? toJson(explanationData(explanation)) : explanationText(explanation);
}
