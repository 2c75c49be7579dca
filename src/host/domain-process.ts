import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isSystemError } from './durable-file.ts';

/** What libvirt keeps on disk about the process of a running domain, and whether there is such a process. */
export interface DomainProcess {
  /** Process id in libvirt's record of the domain's state. 0: QEMU had not been started, or there is no record. */
  readonly recordedPid: number;
  /** Whether a process lives that is the domain's, or that libvirt made to become it. */
  readonly lives: boolean;
}

/**
 * Looks for the process of a domain.
 * @param runDirectory where libvirt's QEMU driver keeps `<domain>.xml` and `<domain>.pid`, such as /run/libvirt/qemu
 */
export async function readDomainProcess(
  runDirectory: string,
  { name, uuid }: { readonly name: string; readonly uuid: string },
): Promise<DomainProcess> {
  const [record, ownPid] = await Promise.all([
    readIfThere(join(runDirectory, `${name}.xml`)),
    readIfThere(join(runDirectory, `${name}.pid`)),
  ]);
  const recordedPid = Number(/<domstatus [^>]*\bpid='(\d+)'/.exec(record ?? '')?.[1] ?? 0);
  const pids = [recordedPid, Number.parseInt(ownPid ?? '0', 10)].filter((pid) => pid > 0);
  const lives = (await Promise.all(pids.map(isAlive))).includes(true) || (await runsQemu(uuid));
  return { recordedPid, lives };
}

/** Removes libvirt's record of a domain whose process is known not to be: a libvirtd that starts then knows of none. */
export async function removeDomainRecord(runDirectory: string, name: string): Promise<void> {
  for (const ending of ['xml', 'pid']) await rm(join(runDirectory, `${name}.${ending}`), { force: true });
}

const DAEMONS: readonly string[] = ['libvirtd', 'virtqemud'];

/**
 * Asks the libvirt daemon of a pid file to end, in good order: whoever keeps it running (systemd, by its socket) starts it
 * anew. Domains run on.
 * @throws Error when no such daemon is found, or this process may not signal it.
 */
export async function endLibvirtDaemon(pidFile: string): Promise<void> {
  const pid = Number.parseInt((await readFile(pidFile, 'utf8')).trim(), 10);
  const command = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
  if (!DAEMONS.includes(command)) throw new Error(`process ${pid} of ${pidFile} is ${command}, no libvirt daemon`);
  process.kill(pid, 'SIGTERM');
}

async function isAlive(pid: number): Promise<boolean> {
  return (await readIfThere(`/proc/${pid}/stat`)) !== undefined;
}

async function runsQemu(uuid: string): Promise<boolean> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const commands = await Promise.all(pids.map((pid) => readIfThere(`/proc/${pid}/cmdline`)));
  return commands.some((command) => command?.includes(`\0-uuid\0${uuid}\0`));
}

async function readIfThere(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(undefinedIfGone);
}

/** ESRCH: the process ended while its file was read. */
function undefinedIfGone(error: unknown): undefined {
  if (isSystemError(error, 'ENOENT') || isSystemError(error, 'ESRCH')) return undefined;
  throw error;
}
