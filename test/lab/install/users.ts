import type { Report } from '../report.ts';
import { run } from '../run.ts';

/**
 * libvirt's QEMU driver looks these up when it starts, before it reads in its configuration that it shall use others. On
 * Debian the package of the system services, which the lab does without, makes them.
 */
const QEMU_USER = 'libvirt-qemu';
const QEMU_GROUP = 'libvirt-qemu';

/** Makes the system user and group without which libvirt's QEMU driver does not start. */
export async function ensureQemuUser(report: Report): Promise<void> {
  const [hasGroup, hasUser] = await Promise.all([isKnown('group', QEMU_GROUP), isKnown('passwd', QEMU_USER)]);
  if (hasGroup && hasUser) return;
  await report.step(`System user ${QEMU_USER}`, async () => {
    if (!hasGroup) await run('groupadd', ['--system', QEMU_GROUP]);
    const settings = ['--no-create-home', '--home-dir', '/var/lib/libvirt', '--shell', '/usr/sbin/nologin'];
    if (!hasUser) await run('useradd', ['--system', '--gid', QEMU_GROUP, ...settings, QEMU_USER]);
  });
}

async function isKnown(database: 'group' | 'passwd', name: string): Promise<boolean> {
  try {
    await run('getent', [database, name]);
    return true;
  } catch {
    return false;
  }
}
