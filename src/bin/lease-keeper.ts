import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { LeaseFolder } from '../agent/storage-lease/folder.ts';
import { LeaseKeeper } from '../agent/storage-lease/keeper.ts';
import { thisMachine } from '../agent/storage-lease/machine.ts';
import { readBootId } from '../host/index.ts';
import { createLogger, systemClock, terminationSignal } from '../runtime/index.ts';

interface Flags {
  readonly nodeName: string;
  readonly runDir: string;
  readonly domainRunDir: string;
  readonly watchdog?: string;
  readonly selfFence: number;
  readonly logLevel?: string;
}

function seconds(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) < 8)
    throw new InvalidArgumentError('write a whole number of seconds, at least 8.');
  return Number(text);
}

const flags = new Command('drover-lease-keeper')
  .description(
    "Keeps the host's lease on shared storage, and feeds its watchdog while it can. Goes on without the agent.",
  )
  .addOption(new Option('--node-name <name>', 'name of this host and its Node').env('NODE_NAME').makeOptionMandatory())
  .option('--run-dir <folder>', "the agent's", '/run/drover')
  .option('--domain-run-dir <folder>', 'where libvirt keeps its record of running domains', '/run/libvirt/qemu')
  .addOption(
    new Option(
      '--watchdog <path>',
      "device (/dev/watchdog0) that resets the host when it is not fed; once armed, guests of Drover are killed when the lease lapses (default: none, and the host's silence proves nothing)",
    ).env('DROVER_WATCHDOG'),
  )
  .option('--self-fence <seconds>', 'after how long without a renewal guests are killed', seconds, 14)
  .option('--log-level <level>', 'trace, debug, info, warn or error (default: $DROVER_LOG_LEVEL, then info)')
  .parse()
  .opts<Flags>();

const keeper = new LeaseKeeper({
  host: flags.nodeName,
  bootID: await readBootId(),
  folder: new LeaseFolder(join(flags.runDir, 'lease')),
  machine: thisMachine(flags.domainRunDir),
  selfFenceMs: flags.selfFence * 1000,
  ...(flags.watchdog !== undefined && { watchdog: flags.watchdog }),
  clock: systemClock,
  log: createLogger({ name: 'lease-keeper', ...(flags.logLevel && { level: flags.logLevel }) }),
});
await keeper.run(terminationSignal());
process.exit();
