import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost } from '../../lab/host/lab-host.ts';
import { run } from '../../lab/run.ts';

/** As many starts at once on a host as the agent's default. */
const PARALLEL = 8;

/** The XML of each domain of a host as a file, without the metadata that makes it Drover's. */
export async function domainFiles(host: LabHost): Promise<string[]> {
  const folder = join(host.lab.folder, 'bench-xml', host.name);
  mkdirSync(folder, { recursive: true });
  const files: string[] = [];
  for (const name of await domainsOf(host)) {
    const xml = await run('virsh', ['-c', host.libvirtUri, 'dumpxml', '--migratable', name]);
    const file = join(folder, `${name}.xml`);
    writeFileSync(file, xml.replace(/<metadata>[\s\S]*<\/metadata>/, ''));
    files.push(file);
  }
  return files;
}

/** Creates the domains with virsh. */
export async function createAll(host: LabHost, files: readonly string[]): Promise<void> {
  const queue = [...files];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      await run('virsh', ['-c', host.libvirtUri, 'create', file]);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

/** Destroys every domain of the host. */
export async function destroyAll(host: LabHost): Promise<void> {
  for (const name of await domainsOf(host)) await run('virsh', ['-c', host.libvirtUri, 'destroy', name]);
}

async function domainsOf(host: LabHost): Promise<string[]> {
  return (await run('virsh', ['-c', host.libvirtUri, 'list', '--name'])).split('\n').filter((name) => name !== '');
}
