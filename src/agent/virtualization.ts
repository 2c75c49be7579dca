import { isLibvirtError, type Libvirt } from '../libvirt/index.ts';

/** The domain type of a host's VMs, and why. */
export interface Virtualization {
  readonly type: 'kvm' | 'qemu';
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
}

/**
 * Chooses the domain type: `auto` is kvm where libvirt offers it. A virtual machine that has /dev/kvm may still not run
 * a guest under it, which only a real boot shows: whoever knows says qemu.
 * @throws LibvirtTransportError
 */
export async function chooseVirtualization(
  libvirt: Libvirt,
  wanted: Virtualization['type'] | 'auto',
): Promise<Virtualization> {
  if (wanted !== 'auto') {
    return { type: wanted, reason: 'Configured', message: `the agent was started with --virtualization ${wanted}` };
  }
  try {
    await libvirt.call('connectGetDomainCapabilities', { virtType: 'kvm' });
    return { type: 'kvm', reason: 'KVMOffered', message: 'libvirt offers KVM' };
  } catch (error) {
    if (!isLibvirtError(error)) throw error;
    const message = `VMs are emulated, which is slow, since libvirt offers no KVM: ${error.daemonMessage}. Switch virtualization on in the firmware, load kvm_intel or kvm_amd, and start the agent again`;
    return { type: 'qemu', reason: 'KVMNotOffered', message };
  }
}
