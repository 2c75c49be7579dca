import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostFiles } from './host-files.ts';

/**
 * What time is it on a host of the lab? All of them share the machine's clock. Programs of a host with a clock of its own are given another wall clock by
 * libfaketime, as by one that nobody has set; what they measure time spans with (CLOCK_MONOTONIC, CLOCK_BOOTTIME) stays right, as it does on a real one.
 */
export const CLOCK_PACKAGES = ['libfaketime'];

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/** Programs that run with a clock of the host's own see it change at once. @param aheadSeconds below zero: behind; undefined: the right time again, for programs that start after that */
export function setLabClock(files: HostFiles, aheadSeconds: number | undefined): void {
  const path = pathOf(files);
  if (aheadSeconds === undefined) {
    rmSync(path, { force: true });
    return;
  }
  const draft = `${path}.draft`;
  writeFileSync(draft, `${aheadSeconds < 0 ? '' : '+'}${aheadSeconds}\n`);
  renameSync(draft, path);
}

export function hasLabClock(files: HostFiles): boolean {
  return existsSync(pathOf(files));
}

/** What a program of the host needs in its environment. Source: faketime(1). */
export function clockEnvironment(files: HostFiles): Record<string, string> {
  if (!hasLabClock(files)) return {};
  return {
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: pathOf(files),
    // It may change while they run.
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
}

function pathOf({ folder }: HostFiles): string {
  return join(folder, 'clock');
}
