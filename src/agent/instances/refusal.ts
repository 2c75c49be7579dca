import type { VirtualMachineInstance } from '../../api/virtual-machine-instance.ts';
import type { LibvirtError } from '../../libvirt/index.ts';

/** What libvirt's no means: why, on which field, what to do, and whether the same start may succeed later. */
export interface StartFailure {
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
  readonly mayPass: boolean;
}

/** libvirt has a domain of this name or UUID that the agent did not know of, or that is just going. */
export const DOMAIN_EXISTS = 'DomainExists';

interface Cause {
  readonly reason: string;
  readonly words: RegExp;
  readonly mayPass: boolean;
  readonly advice: string;
  /** Field of the spec at fault, where the words do not name a disk or bridge. */
  readonly field?: string;
}

/*
 * By libvirt's and QEMU's words, since most of what QEMU says arrives under the one code INTERNAL_ERROR. The first that
 * fits counts. Words as of libvirt 9.0 and QEMU 7.2.
 */
const CAUSES: readonly Cause[] = [
  {
    reason: 'DiskLocked',
    words: /Failed to get .*lock|Failed to lock byte/i,
    mayPass: true,
    advice: 'Another QEMU has the disk open. Stop what uses it; the start is tried again.',
  },
  {
    reason: 'DiskMissing',
    words: /Cannot access (storage|backing) file .*No such file|Could not open .*No such file/i,
    mayPass: true,
    advice: 'Bring the datastore back or put the file in place; the start is tried again.',
  },
  {
    reason: 'DiskRefused',
    words:
      /Cannot access (storage|backing) file|Could not open '|Image is not in .* format|unsupported configuration: .*disk|readonly .* disks are not supported/i,
    mayPass: false,
    advice: 'Correct the disk.',
  },
  {
    reason: 'MemoryUnavailable',
    words: /Cannot allocate memory|cannot set up guest memory/i,
    mayPass: true,
    advice: 'Free memory on the host, or give the VM less; the start is tried again.',
    field: 'spec.memoryBytes',
  },
  {
    reason: 'SwitchMissing',
    words:
      /Cannot get interface MTU|Unable to add bridge|Cannot find device|no such (bridge|network)|Network not found/i,
    mayPass: true,
    advice: 'Check the VirtualSwitch on the host; the start is tried again.',
    field: 'spec.nics',
  },
  {
    reason: 'MachineTypeUnsupported',
    words: /Emulator .* does not support machine type|unsupported machine type/i,
    mayPass: false,
    advice: 'Choose a machine type that QEMU on the host has (qemu-system-x86_64 -machine help).',
    field: 'spec.machineType',
  },
  {
    reason: 'CPUNotCompatible',
    words:
      /guest CPU doesn't match specification|CPU is incompatible with|CPU model .* not (supported|usable)|Unknown CPU model/i,
    mayPass: false,
    advice:
      'Its CPU cannot present the model: lower the CPU baseline of the Cluster (spec.imc), or run the VM on another host.',
    field: 'spec.cpu.model',
  },
  {
    reason: 'CPUUnsupported',
    words: /Maximum CPUs greater than|CPU topology|exceeds? .*(cpus|vcpus)|host CPU|CPU feature/i,
    mayPass: false,
    advice: 'Change the processors.',
    field: 'spec.cpu',
  },
  {
    reason: DOMAIN_EXISTS,
    words: /already (exists|active|defined)/i,
    mayPass: true,
    advice: 'The start is tried again when that domain is gone.',
  },
];

/** Codes under which libvirt refuses a definition, whatever its words: the same one is refused again. */
const CONFIG_CODES: ReadonlySet<string> = new Set([
  'CONFIG_UNSUPPORTED',
  'XML_ERROR',
  'XML_DETAIL',
  'XML_INVALID_SCHEMA',
  'INVALID_ARG',
  'NO_SUPPORT',
  'OPERATION_DENIED',
]);

export function startFailureOf(error: LibvirtError, { spec }: VirtualMachineInstance): StartFailure {
  const words = error.daemonMessage;
  const cause = CAUSES.find((candidate) => candidate.words.test(words));
  const disk = spec.disks.find(({ path }) => words.includes(path));
  const field = disk === undefined ? cause?.field : `spec.disks[${disk.name}]`;
  const isConfig = CONFIG_CODES.has(error.codeName);
  const advice =
    cause?.advice ??
    (isConfig ? 'Change the spec.' : 'See the log of the domain on the host; the start is tried again.');
  return {
    reason: cause?.reason ?? camelCase(error.codeName),
    message:
      `libvirt refused to start the domain${field === undefined ? '' : ` (${field})`}: ${words.trim()}. ${advice}`.slice(
        0,
        MESSAGE_MAX,
      ),
    mayPass: cause?.mayPass ?? !isConfig,
  };
}

/** `status.message` holds no more. */
const MESSAGE_MAX = 4096;

/** `OPERATION_FAILED` → `OperationFailed`. */
function camelCase(codeName: string): string {
  return codeName
    .toLowerCase()
    .split('_')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');
}
