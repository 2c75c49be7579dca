import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LabHost, removeHosts, startHost } from '../../lab/host/lab-host.ts';
import { createBridge } from '../../lab/host/network.ts';
import type { LabIdentity } from '../../lab/identity.ts';
import { factsOf } from '../../lab/proc.ts';
import { claimIdentity, releaseIdentity } from '../../lab/slots.ts';

/** KVM hosts that one test file has for itself. */
export interface OwnHosts {
  readonly lab: LabIdentity;
  readonly hosts: readonly LabHost[];
  host(index: number): LabHost;
  remove(): Promise<void>;
}

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
/** The process id in the name tells later runs whose hosts were left behind. */
const INSTANCE = /^hosts-(?<pid>\d+)-/;

/** Starts hosts 1 to `count`, joined by a bridge. */
export async function startOwnHosts(purpose: string, count: number): Promise<OwnHosts> {
  await removeAbandonedHosts();
  const lab = claimIdentity(CHECKOUT, `hosts-${process.pid}-${purpose}`);
  const remove = () => removeLab(lab);
  try {
    await createBridge(lab);
    const hosts: LabHost[] = [];
    for (let index = 1; index <= count; index++) hosts.push(await startHost(lab, index));
    return { lab, hosts, host: (index) => new LabHost(lab, index), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function removeAbandonedHosts(): Promise<void> {
  const folder = join(CHECKOUT, '.lab');
  for (const instance of existsSync(folder) ? readdirSync(folder).sort() : []) {
    const pid = INSTANCE.exec(instance)?.groups?.['pid'];
    if (pid !== undefined && !factsOf(Number(pid))) await removeLab(claimIdentity(CHECKOUT, instance));
  }
}

async function removeLab(lab: LabIdentity): Promise<void> {
  await removeHosts(lab);
  releaseIdentity(lab);
  rmSync(lab.folder, { recursive: true, force: true });
}
