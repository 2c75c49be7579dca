import { constants, copyFileSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { readConsoleCounters } from '../../lab/guest/console-counters.ts';
import { SHARED_DATASTORE_PATH } from '../../lab/host/host-files.ts';
import type { LabHost } from '../../lab/host/lab-host.ts';
import { run } from '../../lab/run.ts';
import { waitFor } from '../../lab/wait.ts';

/** A test guest on a lab host, started with virsh: what the lab's tests use in place of Drover. */
export interface TestDomain {
  readonly name: string;
  /** Where a host sees the disk. */
  readonly disk: string;
}

/** Time for a boot with TCG while another suite keeps the machine busy. */
export const BOOT_TIMEOUT_MS = 90_000;

export interface DomainOptions {
  readonly name: string;
  readonly image: string;
  readonly memoryMib?: number;
  /** Further elements of <devices>. */
  readonly devices?: string;
}

/** Copies the image into the shared datastore and starts a transient domain from the copy. */
export async function startDomain(host: LabHost, options: DomainOptions): Promise<TestDomain> {
  const { name, image } = options;
  copyFileSync(image, join(host.files.sharedDatastore, `${name}.qcow2`));
  const domain = { name, disk: join(SHARED_DATASTORE_PATH, `${name}.qcow2`) };
  await createDomain(host, domain, options);
  return domain;
}

/** Starts the domain from the disk that it has. */
export async function createDomain(
  host: LabHost,
  { name, disk }: TestDomain,
  { memoryMib = 128, devices = '' }: Omit<DomainOptions, 'name' | 'image'> = {},
): Promise<void> {
  const file = join(host.files.folder, `${name}.xml`);
  writeFileSync(
    file,
    `<domain type="qemu">
  <name>${name}</name>
  <memory unit="MiB">${memoryMib}</memory>
  <vcpu>1</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type></os>
  <features><acpi/></features>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type="file" device="disk">
      <driver name="qemu" type="qcow2" cache="none"/>
      <source file="${disk}"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <serial type="pty"><log file="${consolePathOf(name)}" append="off"/></serial>
    <channel type="unix"><target type="virtio" name="org.qemu.guest_agent.0"/></channel>
    ${devices}
  </devices>
</domain>
`,
  );
  await virsh(host, 'create', file);
}

export async function virsh(host: LabHost, ...args: string[]): Promise<string> {
  return await run('virsh', ['-q', '-c', host.libvirtUri, ...args]);
}

export async function domainNames(host: LabHost): Promise<string[]> {
  return (await virsh(host, 'list', '--name'))
    .split('\n')
    .filter((name) => name !== '')
    .sort();
}

/** All that the guest wrote to its serial port since the domain began on this host. */
export function consoleOf(host: LabHost, name: string): string {
  const file = join(host.files.root, consolePathOf(name));
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** Waits until the guest's console matches. */
export async function waitForConsole(host: LabHost, name: string, wanted: RegExp): Promise<RegExpExecArray> {
  return await waitFor(
    `the console of ${name} to say ${wanted}`,
    () => {
      const text = consoleOf(host, name);
      // The guest counts once a second, also in the middle of what a command prints.
      const rest = text.replaceAll(/drover-guest \S+ counter=\d+ boot=\w+\r?\n/g, '');
      const found = wanted.exec(text) ?? wanted.exec(rest);
      return found
        ? { ready: true, value: found }
        : { ready: false, because: `it ends with: ${rest.slice(-300)} ${text.slice(-100)}` };
    },
    { timeoutMs: BOOT_TIMEOUT_MS },
  );
}

/** Waits until the guest has counted on this host to at least the number given, and returns how far it got. */
export async function waitForCounter(
  host: LabHost,
  name: string,
  atLeast: number,
  timeoutMs = BOOT_TIMEOUT_MS,
): Promise<number> {
  return await waitFor(
    `${name} to count to ${atLeast}`,
    () => {
      const counter = readConsoleCounters(consoleOf(host, name)).readings.at(-1)?.counter ?? 0;
      return counter >= atLeast
        ? { ready: true, value: counter }
        : { ready: false, because: `it is at ${counter}; console: ${consoleOf(host, name).slice(-300)}` };
    },
    { timeoutMs },
  );
}

export async function waitUntilGone(host: LabHost, name: string): Promise<void> {
  await waitFor(
    `${name} to end`,
    async () =>
      (await domainNames(host)).includes(name)
        ? { ready: false, because: `it still runs; console: ${consoleOf(host, name).slice(-300)}` }
        : { ready: true, value: undefined },
    { timeoutMs: BOOT_TIMEOUT_MS },
  );
}

/**
 * Types a line on the guest's serial console, where a shell listens, and holds the terminal until the effect is there:
 * QEMU looks only once a second whether somebody is at its terminal, and what was typed before that is lost when he leaves.
 */
export async function typeOnConsole<T>(
  host: LabHost,
  name: string,
  line: string,
  effect: () => Promise<T>,
): Promise<T> {
  await waitForConsole(host, name, /\/ # /);
  // Pseudo terminals are not namespaced: the one that QEMU has in the host is the machine's, too.
  const descriptor = openSync((await virsh(host, 'ttyconsole', name)).trim(), constants.O_RDWR | constants.O_NOCTTY);
  const terminal = new ReadStream(descriptor);
  terminal.resume();
  try {
    writeSync(descriptor, `${line}\n`);
    return await effect();
  } finally {
    terminal.destroy();
  }
}

function consolePathOf(name: string): string {
  return `/var/log/libvirt/qemu/${name}.console`;
}
