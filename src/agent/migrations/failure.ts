import type { InstanceMigration } from '../../api/virtual-machine-instance-migration.ts';
import { isLibvirtError } from '../../libvirt/index.ts';

export interface MigrationFailure {
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
}

interface Cause {
  readonly reason: string;
  readonly words: RegExp;
  readonly advice: string;
}

/** By libvirt's and QEMU's words; the first that fits counts. Words as of libvirt 9.0 and QEMU 7.2. */
const CAUSES: readonly Cause[] = [
  {
    reason: 'CPUNotCompatible',
    words: /guest CPU doesn't match specification|CPU is incompatible|missing features|CPU model|can't apply global/i,
    advice:
      'Its CPU lacks what the guest was started with: enable the CPU baseline of the Cluster (spec.imc), and restart the VM.',
  },
  {
    reason: 'DatastoreNotVisible',
    words: /Cannot access (storage|backing) file|Could not open .*No such file|No such file or directory/i,
    advice: 'See whether the Datastore is there on the target.',
  },
  {
    reason: 'SwitchNotAvailable',
    words: /Cannot get interface MTU|Unable to add bridge|Cannot find device|no such (bridge|network)/i,
    advice: 'See whether the VirtualSwitch is there on the target.',
  },
  {
    reason: 'CertificateRefused',
    words: /certificate|x509|TLS|handshake/i,
    advice: 'See the certificates of both hosts (docs/live-migration.md).',
  },
  {
    reason: 'TargetUnreachable',
    words:
      /unable to connect|Connection (refused|reset|timed out)|No route to host|Broken pipe|end of file|keepalive|client socket is closed/i,
    advice: 'See whether libvirtd of the target answers, and the network between the hosts.',
  },
  {
    reason: 'MemoryUnavailable',
    words: /Cannot allocate memory|cannot set up guest memory/i,
    advice: 'Free memory on the target.',
  },
];

/** What libvirt's no means: why, and what to do. The VM stays where it is. */
export function migrationFailure(
  error: unknown,
  { targetHost }: Pick<InstanceMigration, 'targetHost'>,
): MigrationFailure {
  const words = isLibvirtError(error) ? error.daemonMessage : error instanceof Error ? error.message : String(error);
  const cause = CAUSES.find((candidate) => candidate.words.test(words));
  const advice = cause?.advice ?? `See the logs of libvirtd on both hosts.`;
  return {
    reason: cause?.reason ?? 'LibvirtRefused',
    message: `libvirt could not move the VM to ${targetHost}: ${words.trim()}. ${advice}`.slice(0, 1024),
  };
}
