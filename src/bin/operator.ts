import { Command, InvalidArgumentError } from 'commander';
import { createOperator } from '../controllers/operator.ts';
import { KubeClient, leaderIdentity, loadConfig } from '../kube/index.ts';
import { createLogger, createMetrics, systemClock, terminationSignal } from '../runtime/index.ts';

interface Flags {
  readonly kubeconfig?: string;
  readonly leaseDuration: number;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly logLevel?: string;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('write a whole number.');
  return Number(text);
}

const program = new Command('drover-operator')
  .description('Decides where virtual machines run, and writes one intent for each to the Kubernetes API.')
  .option('--kubeconfig <file>', 'kubeconfig (default: $KUBECONFIG, the pod, then ~/.kube/config)')
  .option('--lease-duration <seconds>', 'how long another operator waits for a silent leader', wholeNumber, 15)
  .option('--http-host <address>', 'where /healthz, /readyz and /metrics are served', '127.0.0.1')
  .option('--http-port <port>', 'port of these; 0 picks a free one', wholeNumber, 0)
  .option('--log-level <level>', 'trace, debug, info, warn or error (default: $DROVER_LOG_LEVEL, then info)');

async function main(): Promise<void> {
  const flags = program.parse().opts<Flags>();
  const log = createLogger({ name: 'operator', ...(flags.logLevel && { level: flags.logLevel }) });
  const metrics = createMetrics();
  const client = new KubeClient({
    connection: loadConfig({ ...(flags.kubeconfig && { kubeconfigPath: flags.kubeconfig }) }),
    userAgent: 'drover-operator',
    onCall: metrics.onApiCall,
  });
  try {
    const identity = await leaderIdentity(client);
    const operator = createOperator({
      client,
      identity,
      leaseDurationMs: flags.leaseDuration * 1000,
      http: { host: flags.httpHost, port: flags.httpPort },
      log,
      metrics,
      clock: systemClock,
    });
    const outcome = await operator.run(terminationSignal());
    log.info({ outcome }, 'operator ended');
    // A new process starts with new caches: what the old leader believed is forgotten with it.
    process.exitCode = outcome === 'stopped' ? 0 : 1;
  } finally {
    await client.close();
  }
}

await main();
// Whatever still waits for an answer or a timer: an operator that has stopped leading must be gone, so that it is started anew.
process.exit();
