import { KubeClient, loadConfig } from '../../../src/kube/index.ts';
import { createMetrics, terminationSignal } from '../../../src/runtime/index.ts';
import { copier } from './copier.ts';

/** `node copier-process.ts <kubeconfig> <namespace>`: a process that is told to end while a pass is under way. */
const [kubeconfigPath = '', namespace = ''] = process.argv.slice(2);
const metrics = createMetrics();
const client = new KubeClient({
  connection: loadConfig({ kubeconfigPath }),
  userAgent: 'drover-copier',
  onCall: metrics.onApiCall,
});
const stop = terminationSignal();
const manager = copier({
  client,
  metrics,
  namespace,
  beforeWrite: async (key, { clock, signal }) => {
    process.stdout.write(`pass ${key}\n`);
    // The pass is still under way when the process is told to end, and ends after it.
    while (!stop.aborted) await clock.sleep(10, signal);
  },
});
process.stdout.write(`${await manager.run(stop)}\n`);
await client.close();
