import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stopBmcs } from './bmc/bmcs.ts';
import { listHosts } from './host/lab-host.ts';
import { removeBridge } from './host/network.ts';
import { binFolderOf, identityOf, type LabIdentity } from './identity.ts';
import { withLock } from './lock.ts';
import { stopAllProcesses } from './processes.ts';
import type { Report } from './report.ts';
import { findIdentity, releaseIdentity } from './slots.ts';

/**
 * Stops a lab and removes every trace of it: processes, namespaces, mounts, cables, bridges, files, the claimed slot.
 * Needs nothing of the lab to work, only its records: so it also cleans up after a lab that crashed, or half came up.
 */
export async function takeDown(checkout: string, instance: string, report: Report): Promise<void> {
  // Names do not depend on the slot, so what is left of a lab without a claim can be found, too.
  const lab = findIdentity(checkout, instance) ?? identityOf(checkout, instance, 0);
  await report.step(`Taking ${instance} down`, (progress) =>
    withLock(lockFileOf(lab), progress, async () => {
      // Before their hosts: the operator gives power to a host that it wants to have on.
      progress('BMCs');
      await stopBmcs(lab);
      // The agents first: they would report what happens to their hosts.
      for (const host of listHosts(lab)) {
        progress(host.name);
        await host.destroy();
      }
      progress('operator and control plane');
      // Nothing of them is kept, so nothing needs time to end well.
      await stopAllProcesses(lab.folder, { graceMs: 0 });
      await removeBridge(lab);
      releaseIdentity(lab);
      rmSync(lab.kubeconfig, { force: true });
      rmSync(binFolderOf(lab), { recursive: true, force: true });
      rmSync(lab.folder, { recursive: true, force: true });
    }),
  );
  removeIfEmpty(dirname(lab.folder));
}

/** Every lab of the checkout that has left something behind, e.g. those of test runs that were killed. */
export function instancesOf(checkout: string): string[] {
  const folder = join(checkout, '.lab');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'processes')))
    .map((entry) => entry.name)
    .sort();
}

export function lockFileOf(lab: LabIdentity): string {
  return join(lab.folder, 'lock');
}

function removeIfEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}
