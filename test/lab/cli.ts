import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { powerDeviceOf } from './bmc/device.ts';
import { attachConsole, findConsole, followConsole, readConsole } from './console.ts';
import { findProgram } from './control-plane/programs.ts';
import { instancesOf, takeDown } from './down.ts';
import { enterHost } from './enter.ts';
import { showExample } from './example.ts';
import type { LabCpu } from './host/cpu.ts';
import { HOSTS_MAX, kubectlEnvironment } from './identity.ts';
import { type Lab, openLab } from './lab.ts';
import { lines } from './report.ts';
import { findIdentity } from './slots.ts';
import { describeStatus } from './status.ts';
import { handOver } from './terminal.ts';
import { bringUp } from './up.ts';

/** The command line of the lab: one verb per line to type. See docs/lab.md. */
const CHECKOUT = join(import.meta.dirname, '..', '..');
const DEFAULT_HOSTS = 3;
const BMC_VERBS = ['status', 'off', 'on', 'unplug', 'plug', 'lie', 'truth'] as const;
const CPU_NAMES = ['Emulated', 'Nehalem'] as const satisfies readonly LabCpu[];

// `./lab status | head` is over when head has had enough.
process.stdout.on('error', (error) => {
  if ('code' in error && error.code === 'EPIPE') process.exit();
  throw error;
});
const say = (line: string) => process.stdout.write(`${line}\n`);
const report = lines(say);

const program = new Command('lab')
  .description('A KVM cluster with Drover on this machine.')
  .option('--instance <name>', 'which lab of this checkout', 'lab')
  .enablePositionalOptions();

program
  .command('up')
  .description('bring the lab up, or bring back what is missing of it')
  .option('--hosts <count>', 'number of hosts', hostCount, DEFAULT_HOSTS)
  .option('--example', 'also boot the example VMs and show them')
  .action(async ({ hosts, example }: { hosts: number; example?: boolean }) => {
    const lab = await bringUp({ checkout: CHECKOUT, instance: instance(), hosts, report });
    if (example) await showExample(lab, report);
    else for (const line of await describeStatus(lab)) say(line);
    await lab.close();
  });

program
  .command('down')
  .description('stop the lab and leave nothing behind')
  .option('--all', 'every lab of this checkout, those of test runs too')
  .action(async ({ all }: { all?: boolean }) => {
    const instances = all ? instancesOf(CHECKOUT) : [instance()];
    for (const name of instances) await takeDown(CHECKOUT, name, report);
  });

program
  .command('status')
  .description('show what runs')
  .action(async () => {
    if (findIdentity(CHECKOUT, instance())) await withLab(async (lab) => (await describeStatus(lab)).forEach(say));
    else say(`The lab "${instance()}" is down. Bring it up with "make lab".`);
  });

hostVerb('kill-host', 'everything in the host dies at once, as when its power fails', (lab, name) =>
  lab.killHost(name),
);
hostVerb('cut', 'unplug every network cable of the host', (lab, name) => lab.cut(name));
hostVerb('heal', 'plug them in again', (lab, name) => lab.heal(name));
hostVerb('lose-datastore', 'take the shared datastore away from the host alone, until its next boot', (lab, name) =>
  lab.loseDatastore(name),
);
hostVerb('bring-datastore-back', 'mount it again', (lab, name) => lab.bringDatastoreBack(name));
hostVerb('freeze', 'the host hangs with its power on: nothing in it runs, and nothing answers', (lab, name) =>
  lab.freeze(name),
);
hostVerb('thaw', 'it goes on where it was', (lab, name) => lab.thaw(name));
hostVerb('power-off', 'stop agent and libvirtd in good order, then power the host off', (lab, name) =>
  lab.powerOff(name),
);
hostVerb('power-on', 'power the host on; libvirtd and agent start', (lab, name) => lab.powerOn(name));
hostVerb('restart-libvirtd', 'restart libvirtd of the host; VMs run on', (lab, name) => lab.restartLibvirtd(name));
hostVerb('restart-agent', "restart Drover's agent of the host; VMs run on", (lab, name) => lab.restartAgent(name));

program
  .command('set-cpu <host> <cpu>')
  .description(`power the host off, and on with another CPU: ${CPU_NAMES.join(', ')}, or machine for the machine's`)
  .action((name: string, cpu: string) =>
    withLab((lab) => report.step(`set-cpu ${name} ${cpu}`, () => lab.setCpu(name, labCpu(cpu)))),
  );

program
  .command('set-clock <host> <ahead>')
  .description("set the host's wall clock: seconds that it is ahead of the right time, behind it below zero, or right")
  .allowUnknownOption()
  .action((name: string, ahead: string) =>
    withLab((lab) => report.step(`set-clock ${name} ${ahead}`, () => lab.setClock(name, secondsAhead(ahead)))),
  );

program
  .command('bmc <host> <verb>')
  .description(
    `have the host's BMC do it: ${BMC_VERBS.join(', ')}. An unplugged BMC answers nothing until it is plugged in`,
  )
  .action((name: string, verb: string) => withLab((lab) => bmc(lab, name, verb)));

program
  .command('restart-operator')
  .description('restart the operator; VMs run on')
  .action(() => withLab((lab) => report.step('restart-operator', () => lab.restartOperator())));

program
  .command('console <vm>')
  .description("show a guest's serial console and follow it; Ctrl+C ends it")
  .option('-n, --namespace <name>', 'namespace of the VM', 'default')
  .option('--no-follow', 'show what is there and end')
  .option('--attach', 'connect the terminal both ways; Ctrl+] ends it')
  .action((vm: string, options: { namespace: string; follow: boolean; attach?: boolean }) =>
    withLab(async (lab) => {
      const console = await findConsole(lab, options.namespace, vm);
      if (options.attach) await attachConsole(console);
      else if (options.follow) await followConsole(console);
      else process.stdout.write(await readConsole(console));
    }),
  );

program
  .command('enter <host> [command...]')
  .description('run a command in the host, or a shell')
  .passThroughOptions()
  .action((name: string, command: string[]) => withLab((lab) => enterHost(lab.host(name), command)));

program
  .command('kubectl [args...]')
  .description('run kubectl on the lab')
  .passThroughOptions()
  .allowUnknownOption()
  .helpOption(false)
  .action(async (args: string[]) => {
    const lab = findIdentity(CHECKOUT, instance());
    const kubectl = findProgram('kubectl');
    if (!lab || !kubectl) throw new Error(`The lab "${instance()}" is down. Bring it up with "make lab".`);
    process.exitCode = await handOver(kubectl, args, kubectlEnvironment(lab));
  });

async function bmc(lab: Lab, name: string, text: string): Promise<void> {
  const verb = BMC_VERBS.find((each) => each === text);
  if (verb === undefined) throw new InvalidArgumentError(`It must be one of ${BMC_VERBS.join(', ')}.`);
  const signal = new AbortController().signal;
  const device = powerDeviceOf(await lab.bmc(name));
  const verbs: Record<typeof verb, () => Promise<void>> = {
    async status() {
      const { state, systemUUID } = await device.readState(signal);
      say(`${state}  ${systemUUID ?? 'it tells no UUID'}`);
    },
    off: () => report.step(`bmc ${name} off`, () => device.forceOff(signal)),
    on: () => report.step(`bmc ${name} on`, () => device.powerOn(signal)),
    unplug: () => lab.unplugBmc(name),
    plug: () => lab.plugBmc(name),
    lie: async () => lab.letBmcLie(name),
    truth: async () => lab.letBmcTellTheTruth(name),
  };
  await verbs[verb]();
}

function hostVerb(verb: string, description: string, act: (lab: Lab, name: string) => Promise<void>): void {
  program
    .command(`${verb} <host>`)
    .description(description)
    .action((name: string) => withLab((lab) => report.step(`${verb} ${name}`, () => act(lab, name))));
}

async function withLab(act: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await openLab(CHECKOUT, instance());
  try {
    await act(lab);
  } finally {
    await lab.close();
  }
}

function instance(): string {
  return program.opts<{ instance: string }>().instance;
}

function labCpu(text: string): LabCpu | undefined {
  if (text === 'machine') return undefined;
  const cpu = CPU_NAMES.find((name) => name === text);
  if (cpu !== undefined) return cpu;
  throw new InvalidArgumentError(`It must be one of ${CPU_NAMES.join(', ')}, machine.`);
}

function secondsAhead(text: string): number | undefined {
  if (text === 'right') return undefined;
  const seconds = Number(text);
  if (Number.isInteger(seconds)) return seconds;
  throw new InvalidArgumentError('It must be a whole number of seconds, or right.');
}

function hostCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= HOSTS_MAX) return count;
  throw new InvalidArgumentError(`It must be a number from 1 to ${HOSTS_MAX}.`);
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${describe(error)}\n`);
  process.exitCode = 1;
}

/** The message and those of its causes; no stack, since the user of a lab is no developer of it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : describe(error.cause);
  return error.message.includes(cause) ? error.message : `${error.message}\n  because: ${cause}`;
}
