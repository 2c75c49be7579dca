import { describe, expect, it } from 'vitest';
import { startFailureOf } from '../../../../src/agent/instances/refusal.ts';
import { ErrorCode, type ErrorCodeName, LibvirtError } from '../../../../src/libvirt/index.ts';
import { disk, instance, nic } from '../../../builders/virtual-machine-instance.ts';

const vm = instance({
  spec: { disks: [disk({ path: '/d/root.qcow2' }), disk({ name: 'data', path: '/d/data.raw' })], nics: [nic()] },
});

function refused(code: ErrorCodeName, message: string) {
  return startFailureOf(
    new LibvirtError('domainCreateXml', { code: ErrorCode[code], domain: 10, level: 2, message }),
    vm,
  );
}

/** Words as libvirt 9.0 and QEMU 7.2 say them. */
const rows: [reason: string, mayPass: boolean, field: string, code: ErrorCodeName, words: string][] = [
  [
    'DiskMissing',
    true,
    'spec.disks[root]',
    'SYSTEM_ERROR',
    "Cannot access storage file '/d/root.qcow2' (as uid:64055, gid:64055): No such file or directory",
  ],
  [
    'DiskRefused',
    false,
    'spec.disks[data]',
    'SYSTEM_ERROR',
    "Cannot access storage file '/d/data.raw' (as uid:64055, gid:64055): Permission denied",
  ],
  [
    'DiskLocked',
    true,
    'spec.disks[root]',
    'INTERNAL_ERROR',
    'internal error: process exited while connecting to monitor: qemu-system-x86_64: -blockdev {"node-name":"libvirt-1-format","file":"/d/root.qcow2"}: Failed to get "write" lock\nIs another process using the image [/d/root.qcow2]?',
  ],
  [
    'DiskRefused',
    false,
    'spec.disks[root]',
    'INTERNAL_ERROR',
    "internal error: process exited while connecting to monitor: qemu-system-x86_64: -blockdev {}: Could not open '/d/root.qcow2': Image is not in qcow2 format",
  ],
  [
    'MemoryUnavailable',
    true,
    'spec.memoryBytes',
    'INTERNAL_ERROR',
    "internal error: qemu unexpectedly closed the monitor: qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory",
  ],
  ['SwitchMissing', true, 'spec.nics', 'SYSTEM_ERROR', "Cannot get interface MTU on 'dv-0a1b2c3d': No such device"],
  [
    'MachineTypeUnsupported',
    false,
    'spec.machineType',
    'CONFIG_UNSUPPORTED',
    "unsupported configuration: Emulator '/usr/bin/qemu-system-x86_64' does not support machine type 'pc-q35-99'",
  ],
  [
    'CPUNotCompatible',
    false,
    'spec.cpu.model',
    'CPU_INCOMPATIBLE',
    'the CPU is incompatible with host CPU: Host CPU does not provide required features: avx512f, clwb',
  ],
  [
    'CPUUnsupported',
    false,
    'spec.cpu',
    'CONFIG_UNSUPPORTED',
    'unsupported configuration: Maximum CPUs greater than specified machine type limit 288',
  ],
];

describe('a start that libvirt refuses', () => {
  it.each(rows)('is %s (may pass: %s) at %s', (reason, mayPass, field, code, words) => {
    const failure = refused(code, words);
    expect(failure).toMatchObject({ reason, mayPass });
    expect(failure.message).toContain(`(${field})`);
    expect(failure.message).toContain(words);
    expect(failure.message.slice(failure.message.indexOf(words) + words.length)).toMatch(/\. \S+/);
  });

  it('waits for a domain of the same name that is just going', () => {
    expect(
      refused('OPERATION_INVALID', "Requested operation is not valid: domain 'default_web' is already active"),
    ).toMatchObject({
      reason: 'DomainExists',
      mayPass: true,
    });
  });

  it('has the name of the error where its words say nothing that is known', () => {
    expect(refused('OPERATION_TIMEOUT', 'cannot acquire state change lock')).toMatchObject({
      reason: 'OperationTimeout',
      mayPass: true,
    });
    expect(refused('XML_ERROR', 'XML error: something new')).toMatchObject({ reason: 'XmlError', mayPass: false });
  });

  it('keeps within what a status holds', () => {
    expect(refused('INTERNAL_ERROR', 'x'.repeat(10_000)).message).toHaveLength(4096);
  });
});
