import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What is the test guest made of? */

/** Debian packages whose files go into the guest; none of them is installed on the machine. */
export const GUEST_PACKAGES = [
  'busybox-static',
  'libc6',
  'libglib2.0-0',
  'libnuma1',
  'libpcre2-8-0',
  'libudev1',
  'liburing2',
  'qemu-guest-agent',
] as const;

/** The kernel is named by this meta package's dependency. */
export const KERNEL_META_PACKAGE = 'linux-image-cloud-amd64';

/** Debian packages whose programs build the image. */
export const GUEST_BUILD_PACKAGES = ['kmod', 'mtools', 'qemu-utils', 'syslinux', 'syslinux-common'] as const;

/** Drivers that the guest has; what they depend on comes along. */
export const DRIVERS = [
  'virtio_pci',
  'virtio_blk',
  'virtio_scsi',
  'sd_mod',
  'virtio_console',
  'virtio_net',
  'ata_piix',
  'sr_mod',
  'isofs',
  'vfat',
  'nls_cp437',
  'nls_ascii',
  'nls_iso8859-1',
  'nls_utf8',
  'button',
  'evdev',
  'pvpanic-pci',
  'pvpanic-mmio',
  'virtio_balloon',
  'virtio-rng',
] as const;

/** Where the guest's own scripts stand in its file system. */
export const SCRIPTS: readonly { readonly source: string; readonly path: string; readonly executable: boolean }[] = [
  { source: 'inittab', path: 'etc/inittab', executable: false },
  { source: 'power-button', path: 'etc/acpi/PWRF/00000080', executable: true },
  { source: 'shutdown', path: 'sbin/shutdown', executable: true },
  { source: 'user-data.awk', path: 'lib/guest/user-data.awk', executable: false },
  ...['agent', 'boot', 'count', 'dhcp-lease', 'find-counter-disk', 'network', 'seed', 'stop'].map((source) => ({
    source,
    path: `lib/guest/${source}`,
    executable: true,
  })),
];

/**
 * Kernel options. Three save time where no KVM is: `quiet`, no self-tests of ciphers, no test of the timer. SCSI disks are
 * there when their controller is. After a panic that nobody outside answers, the guest reboots by itself.
 */
export const KERNEL_OPTIONS =
  'console=tty0 console=ttyS0,115200 quiet cryptomgr.notests no_timer_check scsi_mod.scan=sync panic=10 net.ifnames=0';

export const SCRIPTS_FOLDER = join(import.meta.dirname, 'root');

/** Changes with every file of this folder, so with everything that decides what the image holds, package versions aside. */
export function recipeHash(): string {
  const hash = createHash('sha256');
  for (const folder of [import.meta.dirname, SCRIPTS_FOLDER]) {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (!entry.isFile()) continue;
      const content = readFileSync(join(folder, entry.name));
      hash.update(`${entry.name}\0${content.length}\0`).update(content);
    }
  }
  return hash.digest('hex').slice(0, 16);
}
