import { readFileSync, readlinkSync } from 'node:fs';
import type { LabHost } from '../../lab/host/lab-host.ts';
import { firstPidOf } from '../../lab/host/power.ts';
import { factsOf, livingProcesses, type ProcessFacts } from '../../lab/proc.ts';

/** The living processes in the host's pid namespace. */
export function processesIn(host: LabHost): ProcessFacts[] {
  const namespace = readlinkSync(`/proc/${firstPidOf(host.lab, host.index)}/ns/pid`);
  return livingProcesses().filter(({ pid }) => namespacesOf(pid).includes(namespace));
}

export function isAlive({ pid, startTicks }: ProcessFacts): boolean {
  const facts = factsOf(pid);
  return facts !== undefined && facts.startTicks === startTicks && facts.state !== 'Z';
}

/** Nothing when the process has ended meanwhile, or may do more than we may, as no process in a lab host does. */
export function namespacesOf(pid: number): string[] {
  try {
    return ['ipc', 'mnt', 'net', 'pid', 'uts'].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`));
  } catch (error) {
    const facts = factsOf(pid);
    if (facts === undefined || facts.state === 'Z') return [];
    // One that is just ending has given its namespaces back before it counts as dead.
    if (error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'ENOENT')) return [];
    throw error;
  }
}

export function mountsOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
}

/** Empty when the process has ended meanwhile. */
export function commandOf({ pid }: ProcessFacts): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch (error) {
    if (factsOf(pid) === undefined) return '';
    throw error;
  }
}
