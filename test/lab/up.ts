import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startBmcs } from './bmc/bmcs.ts';
import { GUEST_IMAGE_FILE } from './cluster-objects.ts';
import type { ControlPlane } from './control-plane/control-plane.ts';
import { startControlPlane } from './control-plane/start.ts';
import { lockFileOf } from './down.ts';
import { buildGuestImage } from './guest/build.ts';
import { LabHost, listHosts, startHost } from './host/lab-host.ts';
import { createBridge } from './host/network.ts';
import { binFolderOf, type LabIdentity } from './identity.ts';
import { installForRealParts } from './install/install.ts';
import { declareBmcs, declareCluster, installDrover } from './install-drover.ts';
import { probeKvm } from './kvm-probe.ts';
import { Lab, labControlPlane } from './lab.ts';
import { withLock } from './lock.ts';
import { startProcess } from './processes.ts';
import type { Progress, Report } from './report.ts';
import { claimIdentity } from './slots.ts';

export interface UpOptions {
  readonly checkout: string;
  readonly instance: string;
  /** How many hosts at least; those that the lab has already stay. */
  readonly hosts: number;
  readonly report: Report;
}

/**
 * Brings a lab up, or completes one that is partly up: what runs is left alone, what is missing is brought back.
 * The caller closes what it gets; the lab runs on until it is taken down.
 */
export async function bringUp({ checkout, instance, hosts, report }: UpOptions): Promise<Lab> {
  await installForRealParts(report);
  const guest = await buildGuestImage(report);
  const kvm = await probeKvm({ disk: guest.disk, report });
  if (kvm.domainType === 'qemu') report.say(`Guests run without KVM, slower: ${kvm.reason}`);
  const identity = claimIdentity(checkout, instance);
  return await withLock(
    lockFileOf(identity),
    () => undefined,
    async () => {
      await createBridge(identity);
      const controlPlane = await startControlPlane({ ...labControlPlane(identity), report });
      const lab = new Lab(identity, controlPlane);
      await report.step("Drover's CRDs, roles and policies", () => installDrover(checkout, controlPlane));
      await report.step(`${hosts} hosts`, (progress) => startHosts(identity, hosts, progress));
      await report.step('BMCs of the hosts', () =>
        startBmcs(
          identity,
          lab.hosts.map((host) => host.index),
          'LibvirtdAndAgent',
        ),
      );
      layOutImage(identity, guest.disk);
      linkPrograms(identity, controlPlane);
      await startCredentialsKeeper(identity);
      await report.step('operator', () => lab.startOperator());
      await report.step('agents', () => lab.startAgents());
      await report.step('datastore, network and image of the cluster', () => declareCluster(controlPlane));
      await report.step('power of the hosts', () => declareBmcs(identity, lab.hosts, controlPlane));
      return lab;
    },
  );
}

async function startHosts(lab: LabIdentity, atLeast: number, progress: Progress): Promise<void> {
  const indexes = new Set(Array.from({ length: atLeast }, (_, place) => place + 1));
  for (const host of listHosts(lab)) indexes.add(host.index);
  let up = 0;
  await Promise.all(
    [...indexes].map(async (index) => {
      await (await startHost(lab, index)).heal();
      up += 1;
      progress(`${up} of ${indexes.size} up`);
    }),
  );
}

/** Puts the test guest's disk where the lab's Image says, as a copy that belongs to this lab alone. */
function layOutImage(lab: LabIdentity, disk: string): void {
  const folder = join(new LabHost(lab, 1).files.sharedDatastore, 'images');
  const file = join(folder, GUEST_IMAGE_FILE);
  if (existsSync(file)) return;
  mkdirSync(folder, { recursive: true });
  copyFileSync(disk, `${file}.draft`);
  renameSync(`${file}.draft`, file);
}

/** For the user's PATH: a plain Debian has no kubectl, and Drover's plugin of it runs from the checkout. */
function linkPrograms(lab: LabIdentity, controlPlane: ControlPlane): void {
  const folder = binFolderOf(lab);
  mkdirSync(folder, { recursive: true });
  rmSync(join(folder, 'kubectl'), { force: true });
  symlinkSync(controlPlane.kubectlProgram, join(folder, 'kubectl'));
  const plugin = join(lab.checkout, 'src', 'bin', 'kubectl-drover.ts');
  const script = `#!/bin/sh\nexec '${process.execPath}' '${plugin}' "$@"\n`;
  writeFileSync(join(folder, 'kubectl-drover'), script, { mode: 0o755 });
}

async function startCredentialsKeeper({ checkout, instance, folder }: LabIdentity): Promise<void> {
  await startProcess(folder, {
    name: 'credentials-keeper',
    command: process.execPath,
    args: [join(import.meta.dirname, 'credentials-keeper.ts'), checkout, instance],
  });
}
