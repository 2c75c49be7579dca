import { CoreV1Api, KubeConfig, makeInformer } from '@kubernetes/client-node';
import { KubeClient, keepManagedFieldsOf, loadConfig, SharedInformer } from '../../../src/kube/index.ts';
import { type ConfigMap, configMapKind } from '../../integration/kube/objects.ts';

/** `node --expose-gc side.ts <ours|client-node> <kubeconfig> <namespace> <objects>`: one informer, alone in its process. */

/** What this process tells its parent. */
export type SideMessage =
  | { type: 'synced'; startMs: number; heapBytes: number; residentBytes: number; peakResidentBytes: number }
  | { type: 'watched'; cpuMs: number };

/** Starts an informer; calls back for each update. Resolves when all objects are cached. */
type StartInformer = (
  kubeconfigPath: string,
  namespace: string,
  onUpdate: () => void,
) => Promise<{ size: () => number }>;

const sides: Readonly<Record<string, StartInformer>> = {
  async ours(kubeconfigPath, namespace, onUpdate) {
    const client = new KubeClient({ connection: loadConfig({ kubeconfigPath }), userAgent: 'drover-bench' });
    // As every informer of Drover does with what others manage; client-node's has no such thing.
    const transform = keepManagedFieldsOf<ConfigMap>();
    const informer = new SharedInformer<ConfigMap>({ client, kind: configMapKind, namespace, transform });
    informer.onChange(({ type }) => {
      if (type === 'updated') onUpdate();
    });
    informer.run(new AbortController().signal).catch(fail);
    await informer.synced();
    return { size: () => informer.size };
  },
  async 'client-node'(kubeconfigPath, namespace, onUpdate) {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfigPath);
    const api = config.makeApiClient(CoreV1Api);
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const informer = makeInformer(config, path, () => api.listNamespacedConfigMap({ namespace }));
    informer.on('update', onUpdate);
    informer.on('error', fail);
    await informer.start();
    return { size: () => informer.list().length };
  },
};

function fail(error: unknown): never {
  throw error;
}

function collectGarbage(): void {
  if (!globalThis.gc) throw new Error('run this program with --expose-gc');
  globalThis.gc();
}

function tell(message: SideMessage): void {
  process.send?.(message);
}

const [side = '', kubeconfigPath = '', namespace = '', objects = '0'] = process.argv.slice(2);
const start = sides[side];
if (!start) throw new Error(`there is no side "${side}"`);

let updates = 0;
let wanted = Number.POSITIVE_INFINITY;
let cpuBefore = process.cpuUsage();
const onUpdate = () => {
  updates += 1;
  if (updates < wanted) return;
  const { user, system } = process.cpuUsage(cpuBefore);
  tell({ type: 'watched', cpuMs: (user + system) / 1000 });
};
// The parent says how many updates it will make, before it makes them.
process.on('message', (count) => {
  wanted = Number(count);
  cpuBefore = process.cpuUsage();
  process.send?.('go');
});
process.on('disconnect', () => process.exit(0));

collectGarbage();
const before = process.memoryUsage();
const startedMs = performance.now();
const informer = await start(kubeconfigPath, namespace, onUpdate);
const startMs = performance.now() - startedMs;
if (informer.size() !== Number(objects)) throw new Error(`${informer.size()} objects are cached, not ${objects}`);
const peakResidentBytes = process.resourceUsage().maxRSS * 1024 - before.rss;
collectGarbage();
const after = process.memoryUsage();
tell({
  type: 'synced',
  startMs,
  heapBytes: after.heapUsed - before.heapUsed,
  residentBytes: after.rss - before.rss,
  peakResidentBytes,
});
