/** How a run of a domain ended, as libvirt wrote it into the domain's log. */
export interface LoggedStop {
  /** RFC 3339. */
  readonly at: string;
  /** libvirt's word: shutdown, destroyed, crashed, failed, migrated, saved, ... */
  readonly reason: string;
}

const LINE = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3})\+0000: (starting up|shutting down, reason=([a-z-]+))/gm;

/** What the log says of the last run that began at or after `sinceMs` (Unix time, milliseconds). */
export type LoggedRun = { began: false } | { began: true; stop?: LoggedStop };

/**
 * Follows the two lines that libvirt writes around every run; all else in the log is QEMU's. A run without a second
 * line was cut off together with libvirtd, as by a power failure.
 */
export function lastLoggedRun(log: string, sinceMs: number): LoggedRun {
  let run: LoggedRun = { began: false };
  for (const [, day, time, what, reason] of log.matchAll(LINE)) {
    const at = `${day}T${time}Z`;
    if (Date.parse(at) < sinceMs) continue;
    if (what === 'starting up') run = { began: true };
    else run = { began: true, stop: { at, reason: reason ?? '' } };
  }
  return run;
}
