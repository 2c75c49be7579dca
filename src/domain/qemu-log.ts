/** How a run of a domain ended, as libvirt wrote it into the domain's log. */
export interface LoggedStop {
  /** RFC 3339. */
  readonly at: string;
  /** libvirt's word: shutdown, destroyed, crashed, failed, migrated, saved, ... */
  readonly reason: string;
}

const LINE = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3})\+0000: (starting up|shutting down, reason=([a-z-]+))/gm;

/** What a log says of the last run in it. */
export type LoggedRun = { began: false } | { began: true; stop?: LoggedStop };

/**
 * Goes by the order of lines, and not by their times: a clock may be set back between them.
 * Follows the two lines that libvirt writes around every run; all else in the log is QEMU's. A run without a second
 * line was cut off together with libvirtd, as by a power failure.
 */
export function lastLoggedRun(log: string): LoggedRun {
  let run: LoggedRun = { began: false };
  for (const [, day, time, what, reason] of log.matchAll(LINE)) {
    const at = `${day}T${time}Z`;
    if (what === 'starting up') run = { began: true };
    else run = { began: true, stop: { at, reason: reason ?? '' } };
  }
  return run;
}
