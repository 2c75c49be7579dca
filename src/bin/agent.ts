import { readFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import * as z from 'zod';
import { runAgent } from '../agent/agent.ts';
import { ownAddressTowards } from '../agent/own-address.ts';
import { KubeClient, loadConfig } from '../kube/index.ts';
import { createLogger, createMetrics, systemClock, terminationSignal } from '../runtime/index.ts';

interface Flags {
  readonly nodeName: string;
  readonly kubeconfig?: string;
  readonly libvirtUri: string;
  readonly virtualization: 'auto' | 'kvm' | 'qemu';
  readonly stateDir: string;
  readonly runDir: string;
  readonly domainLogDir: string;
  readonly domainRunDir: string;
  readonly libvirtPidFile: string;
  readonly pkiDir: string;
  readonly address?: string;
  readonly usagePort: number;
  readonly leaseDuration: number;
  readonly concurrency: number;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly logLevel?: string;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('write a whole number.');
  return Number(text);
}

/** QEMU keeps a core busy while it starts: more at once are no faster, and each takes longer. */
const DEFAULT_CONCURRENCY = Math.min(Math.max(availableParallelism(), 4), 32);

const program = new Command('drover-agent')
  .description('Runs the virtual machines of one KVM host as their instances in the Kubernetes API say.')
  .addOption(
    new Option('--node-name <name>', 'name of this host and its Node')
      .env('NODE_NAME')
      .default(hostname(), "the machine's"),
  )
  .option('--kubeconfig <file>', 'kubeconfig (default: $KUBECONFIG, the pod, then ~/.kube/config)')
  .option('--libvirt-uri <uri>', 'where libvirt listens', 'qemu:///system')
  .addOption(
    new Option('--virtualization <type>', 'kvm, or qemu (emulation) where KVM does not run guests')
      .choices(['auto', 'kvm', 'qemu'])
      .env('DROVER_VIRTUALIZATION')
      .default('auto'),
  )
  .option('--state-dir <folder>', 'what must survive a reboot', '/var/lib/drover/agent')
  .option('--run-dir <folder>', 'what a reboot may take: cloud-init seeds', '/run/drover')
  .option('--domain-log-dir <folder>', 'where libvirt writes the logs of domains', '/var/log/libvirt/qemu')
  .option('--domain-run-dir <folder>', 'where libvirt keeps its record of running domains', '/run/libvirt/qemu')
  .option('--pki-dir <folder>', 'where libvirt and QEMU look for certificates', '/etc/pki')
  .option('--libvirt-pid-file <file>', 'pid file of the libvirt daemon', '/run/libvirtd.pid')
  .addOption(
    new Option(
      '--address <ip>',
      'IP address of this host for others (default: the one that leads to the API server)',
    ).env('POD_IP'),
  )
  .option('--usage-port <port>', 'port for load figures; 0 picks a free one', wholeNumber, 9443)
  .option('--lease-duration <seconds>', 'how long the host counts as alive without a sign', wholeNumber, 15)
  .option('--concurrency <count>', 'how many VMs are worked on at once', wholeNumber, DEFAULT_CONCURRENCY)
  .option('--http-host <address>', 'where /healthz, /readyz and /metrics are served', '127.0.0.1')
  .option('--http-port <port>', 'port of these; 0 picks a free one', wholeNumber, 0)
  .option('--log-level <level>', 'trace, debug, info, warn or error (default: $DROVER_LOG_LEVEL, then info)');

function version(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return z.object({ version: z.string() }).parse(file).version;
}

async function main(): Promise<void> {
  const flags = program.parse().opts<Flags>();
  const log = createLogger({ name: 'agent', ...(flags.logLevel && { level: flags.logLevel }) });
  const metrics = createMetrics();
  const connection = loadConfig({ ...(flags.kubeconfig && { kubeconfigPath: flags.kubeconfig }) });
  const client = new KubeClient({
    connection,
    userAgent: 'drover-agent',
    onCall: metrics.onApiCall,
  });
  try {
    await runAgent(
      {
        host: flags.nodeName,
        client,
        libvirtUri: flags.libvirtUri,
        virtualization: flags.virtualization,
        stateDirectory: flags.stateDir,
        seedDirectory: `${flags.runDir}/seeds`,
        leaseDirectory: `${flags.runDir}/lease`,
        domainLogDirectory: flags.domainLogDir,
        domainRunDirectory: flags.domainRunDir,
        libvirtPidFile: flags.libvirtPidFile,
        pkiDirectory: flags.pkiDir,
        address: flags.address ?? (await ownAddressTowards(connection.server)),
        usagePort: flags.usagePort,
        version: version(),
        leaseDurationSeconds: flags.leaseDuration,
        concurrency: flags.concurrency,
        http: { host: flags.httpHost, port: flags.httpPort },
        log,
        metrics,
        clock: systemClock,
      },
      terminationSignal(),
    );
  } finally {
    await client.close();
  }
}

await main();
// Whatever still waits for an answer or a timer: an agent that has ended must be gone, so that it is started anew.
process.exit();
