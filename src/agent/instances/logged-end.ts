import { join } from 'node:path';
import type { Run, RunEnd, StopReason } from '../../core/instance/index.ts';
import { lastLoggedRun } from '../../domain/index.ts';
import type { HostFiles } from '../../host/index.ts';

/** libvirt's last line on a run stands at the end, so that of a long log this is enough. */
const TAIL_BYTES = 64 * 1024;

/** Where libvirt writes down when it starts a domain, and how that ends. */
export function domainLogPath(logDirectory: string, domainName: string): string {
  return join(logDirectory, `${domainName}.log`);
}

/** How a run ended that the agent did not see end: from libvirt's log of the domain. */
export async function loggedEnd(
  files: HostFiles,
  logDirectory: string,
  domainName: string,
  run: Run,
  now: Date,
): Promise<RunEnd> {
  const log = await files.readTail(domainLogPath(logDirectory, domainName), run.logOffset ?? 0, TAIL_BYTES);
  const logged = lastLoggedRun(log?.text ?? '');
  // One that was not started here has come from another host, and was seen to run.
  const isKnownToHaveBegun = run.logOffset === undefined || log?.isCut === true;
  if (!logged.began && !isKnownToHaveBegun) return { began: false };
  if (!logged.began || logged.stop === undefined) return { began: true, at: now.toISOString(), reason: 'Lost' };
  // libvirt's "failed" is a start that did not succeed; a QEMU that died later is "crashed".
  if (logged.stop.reason === 'failed') return { began: false };
  return { began: true, at: logged.stop.at, reason: REASONS[logged.stop.reason] ?? 'Failed' };
}

const REASONS: Readonly<Record<string, StopReason>> = {
  shutdown: 'Shutdown',
  destroyed: 'Destroyed',
  crashed: 'Crashed',
  migrated: 'Migrated',
  saved: 'Saved',
};
