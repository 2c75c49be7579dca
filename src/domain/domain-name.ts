/**
 * libvirt's name of a VM's domain. Kubernetes names hold no underscore, so two VMs never share one; at most 63 + 1 + 63
 * characters, which leaves room in the file names that libvirt makes of it (NAME_MAX is 255).
 */
export function domainName(vm: { readonly namespace: string; readonly name: string }): string {
  return `${vm.namespace}_${vm.name}`;
}
