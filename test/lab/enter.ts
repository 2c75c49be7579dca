import type { LabHost } from './host/lab-host.ts';
import { firstPidOf } from './host/power.ts';
import { handOver } from './terminal.ts';

/** Runs a command in the host, with our terminal; a shell when none is given. @throws when the host is off. */
export async function enterHost(host: LabHost, command: readonly string[]): Promise<void> {
  const target = ['--target', `${firstPidOf(host.lab, host.index)}`, '--pid', '--mount', '--net', '--uts', '--ipc'];
  process.exitCode = await handOver('nsenter', [...target, ...(command.length > 0 ? command : ['bash'])]);
}
