import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hostFilesOf, hostIndexesOf } from './host/host-files.ts';
import type { LabIdentity } from './identity.ts';

/**
 * Copies what the lab's programs and its hosts' libvirt have written, so that a failure can be understood after the lab
 * is down. Replaces an earlier copy; consoles of guests are not part of it.
 */
export function keepLogs(lab: LabIdentity, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  copyLogs(join(lab.folder, 'logs'), folder);
  for (const index of hostIndexesOf(lab)) {
    const { libvirtLogs } = hostFilesOf(lab, index);
    copyLogs(libvirtLogs, join(folder, `host-${index}`));
  }
}

function copyLogs(from: string, to: string): void {
  if (!existsSync(from)) return;
  cpSync(from, to, { recursive: true, filter: (path) => !path.endsWith('.console.log') });
}
