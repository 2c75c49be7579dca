import { VirtualMachine } from '../../../src/api/virtual-machine.ts';
import { VirtualMachineInstance } from '../../../src/api/virtual-machine-instance.ts';
import { KubeClient, loadConfig, SharedInformer } from '../../../src/kube/index.ts';
import type { Lab } from '../../lab/lab.ts';
import { waitFor } from '../../lab/wait.ts';

const TIMEOUT_MS = 600_000;

/** Guests with nothing to boot: what is measured is everything around them. */
function manifest(name: string, more: object): object {
  return {
    apiVersion: 'drover.dev/v1alpha1',
    kind: 'VirtualMachine',
    metadata: { name, namespace: 'default' },
    spec: { memory: { size: '16Mi' }, machineType: 'pc', terminationGracePeriodSeconds: 0, ...more },
  };
}

/** Many small VMs of one lab. */
export class Fleet {
  readonly #lab: Lab;
  readonly client: KubeClient;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.client = new KubeClient({
      connection: loadConfig({ kubeconfigPath: lab.identity.kubeconfig }),
      userAgent: 'drover-bench',
    });
  }

  /** Applies VMs with one `kubectl apply`, and tells after how many seconds each was seen Running. */
  async start(prefix: string, count: number, spec: object = {}): Promise<number[]> {
    const items = Array.from({ length: count }, (_, index) => manifest(`${prefix}-${index}`, spec));
    const stop = new AbortController();
    const seconds = new Map<string, number>();
    const informer = new SharedInformer<VirtualMachine>({
      client: this.client,
      kind: VirtualMachine,
      namespace: 'default',
    });
    const running = informer.run(stop.signal);
    await informer.synced();
    const startMs = performance.now();
    informer.onChange(({ object, type }) => {
      const { name } = object.metadata;
      if (type === 'deleted' || object.status?.phase !== 'Running' || !name.startsWith(`${prefix}-`)) return;
      if (!seconds.has(name)) seconds.set(name, (performance.now() - startMs) / 1000);
    });
    await this.#lab.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    await waitFor(
      `${count} VMs to run`,
      () =>
        seconds.size === count
          ? { ready: true, value: undefined }
          : { ready: false, because: `${seconds.size} of ${count} run` },
      { timeoutMs: TIMEOUT_MS, intervalMs: 10 },
    );
    stop.abort();
    await running;
    return [...seconds.values()].toSorted((a, b) => a - b);
  }

  /** Deletes every VM and waits until their instances are gone. */
  async remove(): Promise<void> {
    await this.#lab.kubectl(['delete', 'virtualmachines', '--all', '--namespace=default', '--wait=false']);
    await waitFor(
      'all instances to be gone',
      async () => {
        const { items } = await this.client.list(VirtualMachineInstance, { namespace: 'default' });
        return items.length === 0
          ? { ready: true, value: undefined }
          : { ready: false, because: `${items.length} instances are left` };
      },
      { timeoutMs: TIMEOUT_MS, intervalMs: 250 },
    );
  }
}
