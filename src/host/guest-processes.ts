import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from './durable-file.ts';

/** A QEMU that libvirt has started on this host. */
export interface GuestProcess {
  readonly pid: number;
  /** When it was started, in clock ticks since boot: with the pid it names one process for ever (proc_pid_stat(5), starttime). */
  readonly startTicks: string;
  /** Name and UUID of its domain. */
  readonly name: string;
  readonly uuid: string;
  /** Whether it was started to take a guest that another host had, and not to boot one (qemu(1), -incoming). */
  readonly hasArrived: boolean;
  /** libvirt's record of the domain (its XML). Absent: the QEMU driver whose records were looked at has none of it. */
  readonly record?: string;
}

/**
 * All QEMUs that libvirt has started here, seen without libvirt, which may hang.
 * @param runDirectory where libvirt's QEMU driver keeps `<domain>.xml`, such as /run/libvirt/qemu
 */
export function guestProcesses(runDirectory: string): GuestProcess[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => guestOf(Number(pid), runDirectory) ?? []);
}

/** Whether that very process is still there, if only because the kernel has not finished with what it had begun. */
export function isThere({ pid, startTicks }: Pick<GuestProcess, 'pid' | 'startTicks'>): boolean {
  return startTicksOf(pid) === startTicks;
}

/** Ends it at once (SIGKILL); one that is gone, or whose number is another's by now, is left alone. */
export function killGuest(guest: Pick<GuestProcess, 'pid' | 'startTicks'>): void {
  if (!isThere(guest)) return;
  try {
    process.kill(guest.pid, 'SIGKILL');
  } catch (error) {
    if (!isSystemError(error, 'ESRCH')) throw error;
  }
}

function guestOf(pid: number, runDirectory: string): GuestProcess | undefined {
  // The command line of a process that hangs may not be readable at once, so that it is read of QEMUs alone.
  if (!readIfThere(`/proc/${pid}/comm`)?.startsWith('qemu')) return undefined;
  const args = (readIfThere(`/proc/${pid}/cmdline`) ?? '').split('\0');
  const startTicks = startTicksOf(pid);
  const name = /^guest=([^,]+)/.exec(args[args.indexOf('-name') + 1] ?? '')?.[1];
  const uuid = args[args.indexOf('-uuid') + 1];
  if (startTicks === undefined || name === undefined || uuid === undefined) return undefined;
  const record = readIfThere(join(runDirectory, `${name}.xml`));
  const hasArrived = args.includes('-incoming');
  return { pid, startTicks, name, uuid, hasArrived, ...(record?.includes(uuid) && { record }) };
}

/** Field 22; the name in field 2 may hold anything, and ends with the last parenthesis. */
function startTicksOf(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
