import { isLibvirtError, type Libvirt } from '../libvirt/index.ts';

export type Virtualization = 'kvm' | 'qemu';

/**
 * The domain type of this host's VMs. `auto` is kvm where libvirt offers it. A virtual machine that has /dev/kvm may
 * still not run a guest under it, which only a real boot shows: whoever knows says qemu.
 * @throws LibvirtError, LibvirtTransportError
 */
export async function chooseVirtualization(libvirt: Libvirt, wanted: Virtualization | 'auto'): Promise<Virtualization> {
  if (wanted !== 'auto') return wanted;
  try {
    await libvirt.call('connectGetDomainCapabilities', { virtType: 'kvm' });
    return 'kvm';
  } catch (error) {
    if (isLibvirtError(error)) return 'qemu';
    throw error;
  }
}
