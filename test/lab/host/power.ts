import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostIdentityOf, type LabIdentity } from '../identity.ts';
import { livingProcesses } from '../proc.ts';
import { findProcess, isRunning, listProcesses, startProcess, stopProcess } from '../processes.ts';
import { waitUntilReady } from '../ready.ts';
import { hostFilesOf, layOutHostFiles } from './host-files.ts';
import { plugIn, setCables, unplug } from './network.ts';
import { issueHostCertificates } from './pki.ts';

/**
 * How does a lab host get and lose its power?
 *
 * A host is a set of namespaces (pid, mount, network, UTS, IPC) that live as long as their first process, `init.sh`.
 */
const INIT = join(import.meta.dirname, 'init.sh');
const NAMESPACES = ['--pid', '--fork', '--mount', '--net', '--uts', '--ipc'];
const UP_TIMEOUT_MS = 10_000;

export function hasPower(lab: LabIdentity, index: number): boolean {
  const record = findProcess(lab.folder, hostIdentityOf(lab, index).name);
  return record !== undefined && isRunning(record);
}

/** Starts the host's first process and plugs its cables in; does what is left to do when a start was interrupted. */
export async function switchOn(lab: LabIdentity, index: number): Promise<void> {
  const { name } = hostIdentityOf(lab, index);
  const files = hostFilesOf(lab, index);
  if (!hasPower(lab, index)) {
    layOutHostFiles(lab, index);
    await issueHostCertificates(lab, index);
  }
  const record = await startProcess(lab.folder, {
    name,
    command: 'unshare',
    // Unmounts on the machine reach the host, so that it keeps no file system busy.
    args: [...NAMESPACES, '--propagation', 'slave', INIT, name, files.root, files.run, files.sharedDatastore],
  });
  await waitUntilReady(
    record,
    () =>
      existsSync(join(files.run, 'host-is-up'))
        ? { ready: true, value: undefined }
        : { ready: false, because: 'its mounts are not there' },
    { timeoutMs: UP_TIMEOUT_MS, intervalMs: 5 },
  );
  await connect(lab, index);
}

/** Kills everything in the host at once, and removes its cables. Does nothing when it is off. */
export async function switchOff(lab: LabIdentity, index: number): Promise<void> {
  const { name } = hostIdentityOf(lab, index);
  // The programs in the host die with its first process. Their parents, which stayed outside, end with them, but not those that are
  // stopped, as in a host that hangs; and the kernel lets the host go only when they have buried their children.
  const parents = listProcesses(lab.folder).filter((record) => record.name.startsWith(`${name}.`));
  await Promise.all(
    [name, ...parents.map((record) => record.name)].map((each) => stopProcess(lab.folder, each, { graceMs: 0 })),
  );
  await unplug(lab, index);
}

/**
 * Arguments by which nsenter(1) runs in the host whatever command follows them.
 * @throws when the host is off.
 */
export function enterArguments(lab: LabIdentity, index: number): string[] {
  return ['--target', `${firstPidOf(lab, index)}`, '--pid', '--mount', '--net', '--uts', '--ipc'];
}

/**
 * The machine's number of the host's first process, by which others enter its namespaces.
 * @throws when the host is off.
 */
export function firstPidOf(lab: LabIdentity, index: number): number {
  const { name } = hostIdentityOf(lab, index);
  const record = findProcess(lab.folder, name);
  // unshare(1) stays as the parent of the process that it starts in the new pid namespace.
  const first =
    record && isRunning(record) ? livingProcesses().find((facts) => facts.parentPid === record.pid) : undefined;
  if (first) return first.pid;
  throw new Error(`${name} is off, so nothing can run in it. Power it on first.`);
}

/** Its cables stay down while the host is cut off. */
async function connect(lab: LabIdentity, index: number): Promise<void> {
  const files = hostFilesOf(lab, index);
  const connected = join(files.run, 'host-is-connected');
  if (existsSync(connected)) return;
  await plugIn(lab, index, firstPidOf(lab, index));
  if (existsSync(files.cutMark)) await setCables(lab, index, 'down');
  writeFileSync(connected, '');
}
