import { obtainPrograms } from '../control-plane/obtain.ts';
import type { ControlPlaneProgram } from '../control-plane/programs.ts';
import { GUEST_BUILD_PACKAGES } from '../guest/image/recipe.ts';
import { CLOCK_PACKAGES } from '../host/clock.ts';
import type { Report } from '../report.ts';
import { ensureDebianPackages } from './packages.ts';
import { ensureRedfishEmulator } from './redfish-emulator.ts';
import { ensureQemuUser } from './users.ts';

/** What does the lab need on a plain Debian 12? */
const CONTROL_PLANE_PACKAGES = ['etcd-server', 'openssl'];

/** libvirt's QEMU driver without its system services, QEMU, what makes namespaces and cables, and a file system that can hang. */
const HOST_PACKAGES = [
  'bindfs',
  'iproute2',
  'libvirt-clients',
  'libvirt-daemon',
  'libvirt-daemon-driver-qemu',
  'qemu-system-x86',
];

/** What the agent calls: it makes cloud-init seeds, disks and bridges. In production its image brings them. */
const AGENT_PACKAGES = ['genisoimage', 'iproute2', 'procps', 'qemu-utils'];

/** Simulators of the hosts' BMCs, and what the operator calls to reach one that speaks IPMI. In production its image brings it. */
const BMC_PACKAGES = ['ipmitool', 'openipmi', 'python3', 'python3-venv'];

const PROGRAMS: readonly ControlPlaneProgram[] = ['kube-apiserver', 'kube-controller-manager', 'kubectl'];

/**
 * Everything that the lab and the suites on real parts need. Quick when it is there already.
 * @throws when the user is not root.
 */
export async function installForRealParts(report: Report): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error(
      'The lab needs root: it makes network namespaces, mounts and bridges. Run it as root, or with sudo.',
    );
  }
  const packages = [
    ...CONTROL_PLANE_PACKAGES,
    ...HOST_PACKAGES,
    ...CLOCK_PACKAGES,
    ...AGENT_PACKAGES,
    ...BMC_PACKAGES,
    ...GUEST_BUILD_PACKAGES,
  ];
  await ensureDebianPackages(packages, report);
  await ensureQemuUser(report);
  await ensureRedfishEmulator(report);
  await obtainPrograms(PROGRAMS, report);
}
