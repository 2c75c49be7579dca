import { describe, expect, it } from 'vitest';
import { lastLoggedRun } from '../../../src/domain/index.ts';

const log = `2026-11-22 21:35:36.260+0000: starting up libvirt version: 9.0.0, qemu version: 7.2.22, hostname: a
LC_ALL=C \\
/usr/bin/qemu-system-x86_64 \\
char device redirected to /dev/pts/0 (label charserial0)
2026-11-22 21:35:40.314+0000: shutting down, reason=crashed
2026-11-22 21:36:40.776+0000: starting up libvirt version: 9.0.0, qemu version: 7.2.22, hostname: a
2026-11-22T21:36:41.537939Z qemu-system-x86_64: terminating on signal 15 from pid 23843 (libvirtd)
2026-11-22 21:36:43.342+0000: shutting down, reason=destroyed
`;

describe("the last run in libvirt's log of a domain", () => {
  it('ended as the last line says', () => {
    expect(lastLoggedRun(log)).toEqual({
      began: true,
      stop: { at: '2026-11-22T21:36:43.342Z', reason: 'destroyed' },
    });
  });

  it('is the last one in it, also where the clock was set back meanwhile', () => {
    const again = '2026-11-22 20:00:00.000+0000: shutting down, reason=migrated\n';
    expect(lastLoggedRun(`${log}2026-11-22 21:40:00.000+0000: starting up libvirt\n${again}`)).toEqual({
      began: true,
      stop: { at: '2026-11-22T20:00:00.000Z', reason: 'migrated' },
    });
  });

  it('did not begin when nothing was written of it', () => {
    expect(lastLoggedRun('')).toEqual({ began: false });
  });

  it('is cut off when it began and never ended', () => {
    const cut = `${log}2026-11-22 22:00:00.000+0000: starting up libvirt version: 9.0.0, qemu\n`;
    expect(lastLoggedRun(cut)).toEqual({ began: true });
  });

  it('ignores what QEMU or a guest wrote that only looks alike', () => {
    const forged = ' 2026-11-22 22:00:00.000+0000: shutting down, reason=shutdown\n';
    expect(lastLoggedRun(forged)).toEqual({ began: false });
  });
});
