#!/usr/bin/env node
import { Command, Option } from 'commander';
import { explainVM } from '../cli/explain/verb.ts';
import { KubeClient, loadConfig } from '../kube/index.ts';

interface Flags {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly output: 'text' | 'json';
}

const program = new Command('kubectl-drover').description('Asks Drover why. A plugin: kubectl drover.');

program
  .command('explain')
  .description('say why things are as they are, with the figures')
  .command('vm <name>')
  .description('why the VM is where it is, and what every host says to it now')
  .option('-n, --namespace <namespace>', "namespace of the VM (default: that of kubectl's context)")
  .option('--kubeconfig <file>', 'kubeconfig (default: $KUBECONFIG, then ~/.kube/config)')
  .option('--context <name>', 'context of the kubeconfig')
  .addOption(
    new Option('-o, --output <format>', 'for people or for programs').choices(['text', 'json']).default('text'),
  )
  .action(async (name: string, flags: Flags) => {
    const connection = loadConfig({
      ...(flags.kubeconfig && { kubeconfigPath: flags.kubeconfig }),
      ...(flags.context && { context: flags.context }),
    });
    const client = new KubeClient({ connection, userAgent: 'kubectl-drover' });
    try {
      const vm = { namespace: flags.namespace ?? connection.namespace, name };
      process.stdout.write(`${await explainVM(client, vm, flags.output)}\n`);
    } finally {
      await client.close();
    }
  });

try {
  await program.parseAsync();
} catch (error) {
  // Each says what failed and on what; where in the code helps nobody who types this.
  process.stderr.write(`Error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
