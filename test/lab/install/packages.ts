import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Report } from '../report.ts';
import { run } from '../run.ts';

/** Which Debian packages does this machine lack, and how do they get here without starting anything? */
const NONINTERACTIVE = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };

const DPKG_STATUS = '/var/lib/dpkg/status';
/** Another installation may be running, e.g. the machine's own nightly upgrade. */
const LOCK_TIMEOUT = 'DPkg::Lock::Timeout=600';

/** deb-systemd-invoke(1) and invoke-rc.d(8) ask this program before they start a service; 101 forbids it. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';
const POLICY =
  '#!/bin/sh\n# Made by the Drover lab for the length of one installation: its servers run by themselves.\nexit 101\n';

/** Services that Debian would start at the next boot. The lab runs its own, on its own ports. */
const SERVICES: Readonly<Record<string, readonly string[]>> = {
  'etcd-server': ['etcd.service'],
  openipmi: ['openipmi.service'],
};

/**
 * Installs those of the packages that are missing. Services that come with them are neither started nor enabled.
 * @throws when packages are missing and apt-get cannot install them, as when the user is not root.
 */
export async function ensureDebianPackages(wanted: readonly string[], report: Report): Promise<void> {
  const missing = missingPackages(wanted);
  if (missing.length === 0) return;
  report.say(`Missing Debian packages: ${missing.join(' ')}`);
  await report.step(`${missing.length} Debian packages`, async (progress) => {
    const apt = (args: readonly string[]) =>
      run('apt-get', ['-qy', '-o', LOCK_TIMEOUT, ...args], { env: NONINTERACTIVE, onLine: progress });
    await apt(['update']);
    await withoutStartingServices(() => apt(['install', '--no-install-recommends', ...missing]));
    await disableServices(missing.flatMap((name) => SERVICES[name] ?? []));
  });
}

/** @param status what dpkg knows, one paragraph per package (dpkg-query(1) reads the same file). */
export function missingPackages(
  wanted: readonly string[],
  status: string = readFileSync(DPKG_STATUS, 'utf8'),
): string[] {
  const installed = new Set<string | undefined>();
  for (const paragraph of status.split('\n\n')) {
    if (/^Status: install ok installed$/m.test(paragraph)) installed.add(/^Package: (.*)$/m.exec(paragraph)?.[1]);
  }
  return [...new Set(wanted)].filter((name) => !installed.has(name)).sort();
}

async function withoutStartingServices(work: () => Promise<unknown>): Promise<void> {
  if (existsSync(POLICY_FILE)) {
    await work();
    return;
  }
  writeFileSync(POLICY_FILE, POLICY, { mode: 0o755 });
  try {
    await work();
  } finally {
    rmSync(POLICY_FILE, { force: true });
  }
}

async function disableServices(names: readonly string[]): Promise<void> {
  if (names.length > 0 && existsSync('/run/systemd/system')) await run('systemctl', ['disable', '--quiet', ...names]);
}
