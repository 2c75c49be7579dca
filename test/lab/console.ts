import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { LabHost } from './host/lab-host.ts';
import type { Lab } from './lab.ts';
import { run } from './run.ts';
import { handOver } from './terminal.ts';

/** What does a VM's guest say on its serial console? */
export interface ConsoleOf {
  readonly host: LabHost;
  /** libvirt's name of the domain. */
  readonly domain: string;
}

const virtualMachine = z.object({
  status: z.object({ host: z.string().optional(), phase: z.string().optional() }).optional(),
});

/** @throws when there is no such VM, or when no host runs it. */
export async function findConsole(lab: Lab, namespace: string, name: string): Promise<ConsoleOf> {
  const json = await lab.kubectl(['get', 'virtualmachine', '--namespace', namespace, name, '--output', 'json']);
  const { status } = virtualMachine.parse(JSON.parse(json));
  const domain = `${namespace}_${name}`;
  const host = status?.host === undefined ? undefined : lab.host(status.host);
  if (host?.libvirtdRuns() && (await domainsOf(host)).includes(domain)) return { host, domain };
  throw new Error(
    `VM ${namespace}/${name} runs on no host now (phase ${status?.phase ?? 'not set'}), so it has no console. ` +
      `See why: kubectl describe virtualmachine --namespace ${namespace} ${name}`,
  );
}

/** All that the VM's guests have written on this host, those before a power cycle too. */
export async function readConsole({ host, domain }: ConsoleOf): Promise<string> {
  const file = await logFileOf(host, domain);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** Shows the end of what the guest has written, and what it goes on to write, until the user stops it. */
export async function followConsole({ host, domain }: ConsoleOf): Promise<void> {
  await handOver('tail', ['--lines=40', '--follow=name', await logFileOf(host, domain)]);
}

/** Connects the terminal to the guest's console, both ways; Ctrl+] ends it. */
export async function attachConsole({ host, domain }: ConsoleOf): Promise<void> {
  await handOver('virsh', ['-c', host.libvirtUri, 'console', domain]);
}

async function domainsOf(host: LabHost): Promise<string[]> {
  return (await run('virsh', ['-c', host.libvirtUri, 'list', '--name'])).split('\n');
}

/** libvirt writes the console to the file that the domain's XML names; here, its path as seen from outside the host. */
async function logFileOf(host: LabHost, domain: string): Promise<string> {
  const xml = await run('virsh', ['-c', host.libvirtUri, 'dumpxml', domain]);
  const file = /<log file='([^']+)'/.exec(xml)?.[1];
  if (file === undefined) throw new Error(`The domain ${domain} on ${host.name} keeps no console log.`);
  return file.startsWith('/run/') ? join(host.files.run, file.slice('/run'.length)) : join(host.files.root, file);
}
